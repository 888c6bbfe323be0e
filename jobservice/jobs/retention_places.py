"""The places of retention policies, opened for a task."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from database.pool import Database
from jobservice.domain.redaction import redact_text
from jobservice.domain.retention import RetentionSnapshot
from jobservice.domain.task import Claimed, TaskError
from jobservice.jobs import explaining
from jobservice.jobs.base import Failed, Snoozed
from jobservice.jobs.registries import Registries
from jobservice.jobs.retention_local import LocalPlace
from jobservice.jobs.retention_place import Place
from jobservice.jobs.retention_remote import RemotePlace
from protocol.fence import Confirm
from registry.service import Registry


class Places:
    """Opens the place that a run is about."""

    def __init__(self, database: Database, registry: Registry, registries: Registries) -> None:
        self._database = database
        self._registry = registry
        self._registries = registries

    @asynccontextmanager
    async def open(
        self, snapshot: RetentionSnapshot, confirm: Confirm | None = None
    ) -> AsyncIterator[Place]:
        """Hand out the place of a run; without `confirm`, that of a preview, nothing is deleted.

        Raise PlaceGone, and for another registry EndpointChanged, UnknownKind, BrokenPlugin.
        """
        if snapshot.registry is None:
            yield LocalPlace(self._database, self._registry, snapshot)
            return
        async with self._registries.alone(snapshot.registry) as adapter:
            yield RemotePlace(self._database, adapter, snapshot.rules, confirm)

    def explain(self, error: Exception, task: Claimed) -> Failed | Snoozed:
        """Return the answer to what a plan or a task raised."""
        registry = RetentionSnapshot.from_json(task.snapshot).registry
        if registry is not None:
            return explaining.explain(error, task, registry=registry)
        return Failed(error=TaskError(message=redact_text(str(error)), kind=type(error).__name__))
