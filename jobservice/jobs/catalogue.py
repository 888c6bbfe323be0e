"""Every job type that this version knows; a new one is a file and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from database.pool import Database
from jobservice.jobs.audit_purge import AuditPurge
from jobservice.jobs.base import JobType
from jobservice.jobs.hook_delivery import HookDelivery
from jobservice.jobs.registries import Registries
from jobservice.jobs.replication_plan import ReplicationPlan
from jobservice.jobs.replication_transfer import ReplicationTransfer

# Every job type's code, to ask for its rules without building it.
KNOWN: Mapping[str, type[JobType]] = {
    one.name: one for one in (ReplicationPlan, ReplicationTransfer, HookDelivery)
}


def build(
    database: Database, registries: Registries, messages: HookDelivery | None = None
) -> Mapping[str, JobType]:
    """Return the job types by name; without `messages` hooks are left to other workers."""
    job_types: tuple[JobType, ...] = (
        ReplicationPlan(registries, database),
        ReplicationTransfer(registries),
        AuditPurge(database),
        *([messages] if messages is not None else []),
    )
    return {job_type.name: job_type for job_type in job_types}
