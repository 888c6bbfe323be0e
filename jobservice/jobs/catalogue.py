"""Every job type that this version knows; a new one is a file and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from database.pool import Database
from jobservice.jobs.audit_purge import AuditPurge
from jobservice.jobs.base import JobType
from jobservice.jobs.garbage_collection import GarbageCollection
from jobservice.jobs.hook_delivery import HookDelivery
from jobservice.jobs.registries import Registries
from jobservice.jobs.replication_deletion import ReplicationDeletion
from jobservice.jobs.replication_deletion_plan import ReplicationDeletionPlan
from jobservice.jobs.replication_event_plan import ReplicationEventPlan
from jobservice.jobs.replication_plan import ReplicationPlan
from jobservice.jobs.replication_transfer import ReplicationTransfer
from jobservice.jobs.retention import Retention
from jobservice.jobs.retention_places import Places
from jobservice.jobs.retention_plan import RetentionPlan
from registry.service import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What job types are made from."""

    database: Database
    registries: Registries
    messages: HookDelivery | None
    places: Places | None
    registry: Registry | None


CATALOGUE: Final[Mapping[type[JobType], Callable[[Parts], JobType | None]]] = {
    ReplicationPlan: lambda parts: ReplicationPlan(parts.registries, parts.database),
    ReplicationEventPlan: lambda parts: ReplicationEventPlan(parts.registries, parts.database),
    ReplicationTransfer: lambda parts: ReplicationTransfer(parts.registries),
    ReplicationDeletionPlan: lambda parts: ReplicationDeletionPlan(
        parts.registries, parts.database
    ),
    ReplicationDeletion: lambda parts: ReplicationDeletion(parts.registries),
    AuditPurge: lambda parts: AuditPurge(parts.database),
    GarbageCollection: lambda parts: (
        GarbageCollection(parts.database, parts.registry) if parts.registry else None
    ),
    HookDelivery: lambda parts: parts.messages,
    RetentionPlan: lambda parts: (
        RetentionPlan(parts.database, parts.places) if parts.places else None
    ),
    Retention: lambda parts: Retention(parts.database, parts.places) if parts.places else None,
}
# To ask a job type for its rules without building it.
KNOWN: Final[Mapping[str, type[JobType]]] = {one.name: one for one in CATALOGUE}


def build(
    database: Database,
    registries: Registries,
    messages: HookDelivery | None = None,
    places: Places | None = None,
    registry: Registry | None = None,
) -> Mapping[str, JobType]:
    """Return the job types by name.

    Without `messages` hooks are left to other workers, without `places` retention, without
    `registry` garbage.
    """
    parts = Parts(
        database=database,
        registries=registries,
        messages=messages,
        places=places,
        registry=registry,
    )
    made = (make(parts) for make in CATALOGUE.values())
    return {one.name: one for one in made if one is not None}
