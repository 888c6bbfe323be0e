"""Replication policies: adding, changing, removing and starting them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from access import audit
from adapters.base import AdapterInfo
from database.pool import Connection, Database
from jobservice import policy_starts, schedules, unbuilt
from jobservice.connecting import Connector
from jobservice.domain import cron
from jobservice.domain import schedule as schedule_rules
from jobservice.domain import zone as zones
from jobservice.domain.endpoint import LOCAL_KIND
from jobservice.domain.listing import Listing, Rows
from jobservice.domain.policy import (
    PolicySettings,
    StoredPolicy,
    TriggerKind,
)
from jobservice.domain.schedule import ScheduleOptions, Vendor
from jobservice.errors import InvalidRequest, NotFound, PolicyRunning
from jobservice.policy_starts import Ends, Start
from jobservice.store import endpoints as endpoint_rows
from jobservice.store import executions as execution_rows
from jobservice.store import policies as rows
from jobservice.store.schedules import NewSchedule
from protocol import doublestar, reference
from protocol.errors import InvalidPattern, InvalidReference
from replication.policy import Filter, FilterKind

NAME_LIMIT = 256
FLATTENING_LIMIT = 127
CRON = "trigger.trigger_settings.cron"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The use cases of replication policies."""

    database: Database
    connector: Connector

    async def page(self, listing: Listing) -> tuple[Rows[StoredPolicy], Ends]:
        """Return one page, and the endpoints that it mentions."""
        async with self.database.connection() as connection:
            found = await rows.page(connection, listing)
            return found, await policy_starts.ends(connection, *(p.settings for p in found.items))

    async def get(self, policy_id: int) -> tuple[StoredPolicy, Ends]:
        """Return a policy and the endpoints that it mentions; raise NotFound."""
        async with self.database.connection() as connection:
            found = await rows.get(connection, policy_id)
            if found is None:
                raise NotFound("replication policy", policy_id)
            return found, await policy_starts.ends(connection, found.settings)

    async def create(self, settings: PolicySettings) -> int:
        """Remember a policy and return its id; raise InvalidRequest, NameTaken."""
        async with self.database.transaction() as connection:
            await self._refuse(connection, settings)
            policy_id = await rows.insert(connection, settings)
            await _keep_schedule(connection, policy_id, settings)
            await _record(connection, audit.Event.CREATE_POLICY, policy_id, settings)
        return policy_id

    async def update(self, policy_id: int, settings: PolicySettings) -> None:
        """Replace a policy; raise NotFound, InvalidRequest, NameTaken."""

        async def work(connection: Connection) -> None:
            await schedules.lock(connection, _vendor(policy_id))
            if await rows.get_locked(connection, policy_id) is None:
                raise NotFound("replication policy", policy_id)
            await self._refuse(connection, settings)
            await rows.update(connection, policy_id, settings)
            await _keep_schedule(connection, policy_id, settings)
            await _record(connection, audit.Event.UPDATE_POLICY, policy_id, settings)

        await self.database.run(work)

    async def delete(self, policy_id: int) -> None:
        """Forget a policy; raise NotFound, PolicyRunning."""

        async def work(connection: Connection) -> None:
            await schedules.remove(connection, _vendor(policy_id))
            found = await rows.get_locked(connection, policy_id)
            if found is None:
                raise NotFound("replication policy", policy_id)
            unfinished = await execution_rows.unfinished_of_policy(connection, policy_id)
            if unfinished:
                raise PolicyRunning(
                    f"replication policy {policy_id} has executions that are not finished"
                    f" ({', '.join(map(str, unfinished))}); stop them or wait for their end"
                )
            await rows.delete(connection, policy_id)
            await _record(connection, audit.Event.DELETE_POLICY, policy_id, found.settings)

        await self.database.run(work)

    async def start(self, policy_id: int, *, started_by: str) -> int:
        """Start a policy by hand and return the execution's id.

        Raise NotFound, PolicyDisabled, PolicyRunning.
        """
        async with self.database.transaction() as connection:
            prepared = await policy_starts.prepare(connection, policy_id)
            start = Start(trigger=TriggerKind.MANUAL, started_by=started_by)
            execution_id = await policy_starts.begin(connection, prepared, start)
            entry = audit.Entry(
                event=audit.Event.START_EXECUTION,
                resource=str(execution_id),
                description=f"of the replication policy {prepared.policy.settings.name}",
                details={"policy_id": policy_id},
            )
            await audit.record(connection, entry)
        return execution_id

    async def _refuse(self, connection: Connection, settings: PolicySettings) -> None:
        ends = await endpoint_rows.by_ids_kept(connection, policy_starts.mentioned(settings))
        found = [
            *_name_problems(settings.name),
            *_end_problems(settings, ends),
            *_zone_problems(settings, ends),
            *_naming_problems(settings),
            *_trigger_problems(settings),
            *_filter_problems(settings, self._source_info(settings, ends)),
        ]
        if found:
            raise InvalidRequest(found)

    def _source_info(self, settings: PolicySettings, ends: Ends) -> AdapterInfo | None:
        kind = LOCAL_KIND
        if settings.source_endpoint_id is not None:
            if settings.source_endpoint_id not in ends:
                return None
            kind = ends[settings.source_endpoint_id].settings.kind
        return self.connector.kinds().get(kind)


async def _record(
    connection: Connection, event: audit.Event, policy_id: int, settings: PolicySettings
) -> None:
    entry = audit.Entry(
        event=event,
        resource=settings.name,
        details={"id": policy_id, "enabled": settings.enabled, "trigger": settings.trigger.value},
    )
    await audit.record(connection, entry)


def _vendor(policy_id: int) -> Vendor:
    return Vendor(type=policy_starts.VENDOR_TYPE, id=policy_id)


async def _keep_schedule(connection: Connection, policy_id: int, settings: PolicySettings) -> None:
    """Keep a policy's schedule in step with it; a disabled policy's waits, without a next run."""
    if settings.trigger is not TriggerKind.SCHEDULED:
        await schedules.remove(connection, _vendor(policy_id))
        return
    timing = schedule_rules.timing(settings.cron or "", settings.schedule)
    new = NewSchedule(vendor=_vendor(policy_id), timing=timing, enabled=settings.enabled)
    await schedules.put(connection, new)


def _name_problems(name: str) -> Iterator[str]:
    if not name.strip():
        yield "name: is missing"
    elif len(name) > NAME_LIMIT:
        yield f"name: has {len(name)} characters, {NAME_LIMIT} are allowed"


def _end_problems(settings: PolicySettings, ends: Ends) -> Iterator[str]:
    source, destination = settings.source_endpoint_id, settings.destination_endpoint_id
    if source is None and destination is None:
        yield (
            "src_registry, dest_registry: both ends are this registry;"
            " name another registry's id as one of them"
        )
    elif source == destination and not settings.rules.destination_namespace:
        yield "dest_registry: is the source, and without dest_namespace every copy is onto itself"
    for name, end in (("src_registry", source), ("dest_registry", destination)):
        if end is not None and end not in ends:
            yield f"{name}: registry {end} not found"


def _zone_problems(settings: PolicySettings, ends: Ends) -> Iterator[str]:
    source, destination = policy_starts.zones_of(settings, ends)
    if zones.are_apart(source, destination):
        yield (
            f"src_registry, dest_registry: are in the zones {source} and {destination},"
            " and no worker reaches both"
        )


def _naming_problems(settings: PolicySettings) -> Iterator[str]:
    rules = settings.rules
    if rules.destination_namespace:
        try:
            reference.check_repository(rules.destination_namespace)
        except InvalidReference as error:
            yield f"dest_namespace: {error}"
    if not -1 <= rules.flattening <= FLATTENING_LIMIT:
        yield f"dest_namespace_replace_count: {rules.flattening} is not within -1 to 127"
    if rules.copy_by_chunk:
        yield from unbuilt.problems("copy_by_chunk", value=True)


def _trigger_problems(settings: PolicySettings) -> Iterator[str]:
    yield from _event_problems(settings)
    text = settings.cron or ""
    if settings.trigger is not TriggerKind.SCHEDULED:
        if text:
            yield f"{CRON}: is only for a scheduled trigger"
        if settings.schedule != ScheduleOptions():
            yield "transship.schedule: is only for a scheduled trigger"
        return
    found = list(schedule_rules.problems(text, settings.schedule))
    for field, problem in found:
        yield f"{CRON if field == 'cron' else f'transship.schedule.{field}'}: {problem}"
    if all(field != "cron" for field, _ in found) and cron.parse(text).is_every_minute:
        yield f"{CRON}: the minute may not be * for replication; */5 is every five minutes"


def _event_problems(settings: PolicySettings) -> Iterator[str]:
    """Yield what an event-based trigger does not go with, and what goes with no other."""
    if settings.trigger is not TriggerKind.EVENT_BASED:
        if settings.replicate_deletion:
            yield "deletion: true has an effect with an event_based trigger only"
        return
    if settings.source_endpoint_id is not None:
        yield (
            "trigger.type: 'event_based' follows what happens in this registry, and src_registry"
            " is another one"
        )
    if settings.single_active:
        yield "single_active_replication: true does not go with an event_based trigger"


def _filter_problems(settings: PolicySettings, source: AdapterInfo | None) -> Iterator[str]:
    for index, condition in enumerate(settings.rules.filters):
        place = f"filters[{index}]"
        refused = list(
            unbuilt.problems("filters.type", condition.kind.value, shown_as=f"{place}.type")
        )
        yield from refused
        if not refused and source is not None and condition.kind not in source.filters:
            yield f"{place}.type: {source.kind} does not filter by {condition.kind}"
        yield from _pattern_problems(place, condition)


def _pattern_problems(place: str, condition: Filter) -> Iterator[str]:
    if condition.kind not in {FilterKind.NAME, FilterKind.TAG}:
        return
    try:
        doublestar.Pattern.compile(condition.pattern)
    except InvalidPattern as error:
        yield f"{place}.value: {error}"
