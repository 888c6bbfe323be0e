"""The catalogue of job types: what a worker runs is what the API knows the rules of."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from typing import cast

from database.pool import Database
from jobservice import jobs
from jobservice.jobs import catalogue
from jobservice.jobs.base import JobType
from jobservice.jobs.garbage_collection import GarbageCollection
from jobservice.jobs.hook_delivery import HookDelivery
from jobservice.jobs.registries import Registries
from jobservice.jobs.retention import Retention
from jobservice.jobs.retention_places import Places
from jobservice.jobs.retention_plan import RetentionPlan
from registry.service import Registry

NOTHING = cast("Database", None)


def written() -> set[type[JobType]]:
    """Return every complete job type in the folder."""
    modules = [
        import_module(f"{jobs.__name__}.{one.name}") for one in pkgutil.iter_modules(jobs.__path__)
    ]
    classes = {one for module in modules for one in vars(module).values() if inspect.isclass(one)}
    return {one for one in classes if issubclass(one, JobType) and not inspect.isabstract(one)}


def test_every_job_type_is_in_the_catalogue() -> None:
    assert set(catalogue.KNOWN.values()) == written()


def test_a_worker_runs_what_the_api_knows() -> None:
    registries = cast("Registries", None)
    messages = HookDelivery.__new__(HookDelivery)
    places = Places.__new__(Places)
    registry = Registry.__new__(Registry)
    built = catalogue.build(NOTHING, registries, messages, places, registry)
    assert {name: type(one) for name, one in built.items()} == dict(catalogue.KNOWN)
    left = set(catalogue.KNOWN) - set(catalogue.build(NOTHING, registries))
    assert left == {
        GarbageCollection.name,
        HookDelivery.name,
        RetentionPlan.name,
        Retention.name,
    }
