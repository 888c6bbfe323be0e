"""From a retention policy to a run of it."""

from __future__ import annotations

from datetime import datetime

from access import audit
from access.audit import Entry, Event
from database.pool import Connection
from jobservice.domain.endpoint import LOCAL_ID
from jobservice.domain.execution import NewExecution
from jobservice.domain.policy import TriggerKind
from jobservice.domain.retention import PLAN_TYPE, VENDOR_TYPE, RetentionPolicy, RetentionSnapshot
from jobservice.domain.schedule import Schedule
from jobservice.errors import NotFound, StillUnderWay
from jobservice.store import executions as execution_rows
from jobservice.store import retentions as rows

WHAT = "retention policy"


async def by_hand(connection: Connection, policy_id: int, *, dry_run: bool, by: str) -> int:
    """Start a run by hand and return its execution's id; raise NotFound.

    Who starts one that is no dry run has approved of it by that.
    """
    policy = await wanted(connection, policy_id)
    snapshot = RetentionSnapshot.of(policy, dry_run=dry_run, by=by)
    execution_id = await _begin(connection, snapshot, TriggerKind.MANUAL)
    entry = Entry(
        event=Event.START_EXECUTION,
        resource=str(execution_id),
        description=f"of the retention policy of {policy.place}",
        details={"retention_id": policy_id, "dry_run": dry_run},
    )
    await audit.record(connection, entry)
    return execution_id


class ScheduledRetention:
    """What the schedule of a retention policy starts."""

    async def start(self, connection: Connection, schedule: Schedule, fire_time: datetime) -> int:
        """Start a run in this transaction and return its execution's id.

        Raise NotFound, and StillUnderWay while the run before goes on, or waits to be approved.
        """
        del fire_time
        policy = await wanted(connection, schedule.vendor.id)
        unfinished = await execution_rows.unfinished_of_vendor(
            connection, VENDOR_TYPE, policy.id, TriggerKind.SCHEDULED
        )
        if unfinished:
            raise StillUnderWay(
                f"execution {unfinished[0]}, which this schedule started before, has not ended"
            )
        snapshot = RetentionSnapshot.of(policy, dry_run=False, is_guarded=True, by="schedule")
        return await _begin(connection, snapshot, TriggerKind.SCHEDULED)


async def wanted(connection: Connection, policy_id: int) -> RetentionPolicy:
    """Return a policy that nobody changes until the transaction ends; raise NotFound."""
    found = await rows.get_shared(connection, policy_id)
    if found is None:
        raise NotFound(WHAT, policy_id)
    return found


async def _begin(connection: Connection, snapshot: RetentionSnapshot, trigger: TriggerKind) -> int:
    endpoint_id = snapshot.registry.endpoint_id if snapshot.registry else LOCAL_ID
    new = NewExecution(
        vendor_type=VENDOR_TYPE,
        vendor_id=snapshot.policy_id,
        job_type=PLAN_TYPE,
        policy_id=None,
        trigger=trigger,
        snapshot=snapshot.to_json(),
        project_id=snapshot.project_id,
        endpoint_ids=(endpoint_id,),
        destination_id=endpoint_id,
        started_by=snapshot.by,
    )
    return await execution_rows.insert(connection, new)
