"""From a policy to an execution of it: what is followed, and what starts it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from database.pool import Connection
from jobservice.connecting import LOCAL_ENDPOINT
from jobservice.domain import change
from jobservice.domain import zone as zones
from jobservice.domain.change import Change
from jobservice.domain.endpoint import LOCAL_ID, StoredEndpoint
from jobservice.domain.execution import NewExecution
from jobservice.domain.policy import (
    PolicySettings,
    PolicySnapshot,
    SnapshotEndpoint,
    StoredPolicy,
    TriggerKind,
)
from jobservice.domain.schedule import Schedule
from jobservice.errors import NotFound, PolicyDisabled, PolicyRunning
from jobservice.jobs import replication_deletion_plan, replication_event_plan, replication_plan
from jobservice.store import endpoints as endpoint_rows
from jobservice.store import executions as execution_rows
from jobservice.store import policies as rows
from protocol.content import ListedArtifact
from registry.metadata import tags
from replication.filters import Selection

VENDOR_TYPE = "replication"

Ends = dict[int, StoredEndpoint]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Why a policy starts, and what the execution is limited to; None for everything."""

    trigger: TriggerKind
    started_by: str
    job_type: str = replication_plan.NAME
    only: tuple[ListedArtifact, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A policy that may start, as it is until the transaction ends."""

    policy: StoredPolicy
    ends: Ends


async def prepare(connection: Connection, policy_id: int) -> Prepared:
    """Return a policy that is to start; raise NotFound, PolicyDisabled."""
    found = await rows.get_shared(connection, policy_id)
    if found is None:
        raise NotFound("replication policy", policy_id)
    if not found.settings.enabled:
        raise PolicyDisabled(f"replication policy {policy_id} is disabled; enable it first")
    return Prepared(policy=found, ends=await ends(connection, found.settings))


async def begin(connection: Connection, prepared: Prepared, start: Start) -> int:
    """Record an execution in this transaction and return its id; raise PolicyRunning."""
    settings = prepared.policy.settings
    snapshot = PolicySnapshot(
        rules=settings.rules,
        source=_described(settings.source_endpoint_id, prepared.ends),
        destination=_described(settings.destination_endpoint_id, prepared.ends),
        only=start.only,
    )
    source, destination = zones_of(settings, prepared.ends)
    new = NewExecution(
        vendor_type=VENDOR_TYPE,
        job_type=start.job_type,
        policy_id=prepared.policy.id,
        trigger=start.trigger,
        snapshot=snapshot.to_json(),
        single_active=settings.single_active,
        zone=zones.of_tasks(source, destination),
        plan_zone=source,
        endpoint_ids=(snapshot.source.endpoint_id, snapshot.destination.endpoint_id),
        destination_id=snapshot.destination.endpoint_id,
        priority=settings.priority,
        started_by=start.started_by,
    )
    return await execution_rows.insert(connection, new)


class ScheduledPolicies:
    """What the schedule of a replication policy starts."""

    async def start(self, connection: Connection, schedule: Schedule, fire_time: datetime) -> int:
        """Start the policy in this transaction and return the execution's id.

        One scheduled execution waits to begin, not a queue of them: it does what those would do.
        Raise NotFound, PolicyDisabled, PolicyRunning.
        """
        del fire_time
        policy_id = schedule.vendor.id
        waiting = await execution_rows.scheduled_and_waiting(connection, VENDOR_TYPE, policy_id)
        if waiting is not None:
            raise PolicyRunning(
                f"execution {waiting}, which this schedule started before, has not begun yet"
            )
        prepared = await prepare(connection, policy_id)
        start = Start(trigger=TriggerKind.SCHEDULED, started_by="schedule")
        return await begin(connection, prepared, start)


class EventBasedPolicies:
    """What changes of this registry's content start."""

    async def start(
        self, connection: Connection, policy_id: int, found: Sequence[Change]
    ) -> int | None:
        """Start the policy for what changed; return the execution's id, None for nothing to do.

        The changes are all to be copied, or all to be deleted. Raise NotFound, PolicyDisabled.
        """
        prepared = await prepare(connection, policy_id)
        if found[0].is_gone:
            only = tuple(one.artifact() for one in found)
        else:
            selection = Selection.of(prepared.policy.settings.rules.filters)
            only = change.taken(await _to_copy(connection, found), selection)
        if not only:
            return None
        plan = replication_deletion_plan if found[0].is_gone else replication_event_plan
        start = Start(
            trigger=TriggerKind.EVENT_BASED, started_by="event", job_type=plan.NAME, only=only
        )
        return await begin(connection, prepared, start)


async def _to_copy(connection: Connection, found: Sequence[Change]) -> list[ListedArtifact]:
    """Return what to look at: a digest with its tags by now.

    A child that is in an index by now, and has no tag, travels with that.
    """
    digests = [(one.repository, one.digest) for one in found if one.reference == one.digest]
    known = await tags.standing(connection, digests) if digests else {}
    artifacts = []
    for one in found:
        if one.reference != one.digest:
            artifacts.append(one.artifact())
            continue
        standing = known.get((one.repository, one.digest))
        if standing is not None and (standing.tags or not standing.is_child):
            artifacts.append(one.artifact(standing.tags))
    return artifacts


def zones_of(settings: PolicySettings, ends: Ends) -> tuple[str | None, str | None]:
    """Return the zones of source and destination; this registry is in the default one."""
    source, destination = (
        ends[each].settings.handling.zone if each in ends else None
        for each in (settings.source_endpoint_id, settings.destination_endpoint_id)
    )
    return source, destination


async def ends(connection: Connection, *policies: PolicySettings) -> Ends:
    """Return the registries that policies mention."""
    return await endpoint_rows.by_ids(connection, mentioned(*policies))


def mentioned(*policies: PolicySettings) -> set[int]:
    """Return the ids of the registries that policies mention."""
    ids = {p.source_endpoint_id for p in policies} | {p.destination_endpoint_id for p in policies}
    return {endpoint_id for endpoint_id in ids if endpoint_id is not None}


def _described(endpoint_id: int | None, ends: Ends) -> SnapshotEndpoint:
    if endpoint_id is None:
        return SnapshotEndpoint(
            endpoint_id=LOCAL_ID,
            kind=LOCAL_ENDPOINT.kind,
            url=LOCAL_ENDPOINT.url,
            name=LOCAL_ENDPOINT.name,
            insecure=LOCAL_ENDPOINT.insecure,
        )
    return SnapshotEndpoint.of(endpoint_id, ends[endpoint_id].settings)
