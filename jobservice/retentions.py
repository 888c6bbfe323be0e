"""Retention policies: adding, changing and removing them."""

from __future__ import annotations

from access import audit, projects
from access.audit import Entry, Event
from access.errors import ProjectNotFound
from adapters import plugins
from database.pool import Connection, Database
from jobservice import schedules
from jobservice.domain import schedule as schedule_rules
from jobservice.domain.endpoint import LOCAL_ID
from jobservice.domain.listing import Listing, Rows
from jobservice.domain.policy import SnapshotEndpoint
from jobservice.domain.retention import (
    VENDOR_TYPE,
    RetentionPolicy,
    RetentionSettings,
    RetentionSnapshot,
)
from jobservice.domain.schedule import Vendor
from jobservice.errors import InvalidRequest, NotFound, PolicyRunning
from jobservice.retention_starts import WHAT
from jobservice.store import endpoints as endpoint_rows
from jobservice.store import executions as execution_rows
from jobservice.store import retentions as rows
from jobservice.store.schedules import NewSchedule
from replication import inventory


async def page(database: Database, listing: Listing) -> Rows[RetentionPolicy]:
    """Return one page of policies; fields are named as in store.retentions.COLUMNS."""
    async with database.connection() as connection:
        return await rows.page(connection, listing)


async def get(database: Database, policy_id: int) -> RetentionPolicy:
    """Return a policy; raise NotFound."""
    async with database.connection() as connection:
        found = await rows.get(connection, policy_id)
    if found is None:
        raise NotFound(WHAT, policy_id)
    return found


async def create(database: Database, settings: RetentionSettings) -> int:
    """Remember a policy and return its id.

    Raise InvalidRequest, also for a project that has one and for one that is not there.
    """
    async with database.transaction() as connection:
        place, _ = await _place(connection, settings)
        policy_id = await rows.insert(connection, settings)
        if policy_id is None:
            there = (await rows.of_projects(connection, [settings.project_id or 0])).values()
            raise InvalidRequest(
                [f"scope.ref: project {place} has retention policy {one}" for one in there]
            )
        await _keep_schedule(connection, policy_id, settings)
        await _record(connection, Event.CREATE_RETENTION, place, policy_id, settings)
    return policy_id


async def update(database: Database, policy_id: int, settings: RetentionSettings) -> None:
    """Replace a policy; raise NotFound, and InvalidRequest for another place."""

    async def work(connection: Connection) -> None:
        await schedules.lock(connection, vendor(policy_id))
        before = await rows.get_locked(connection, policy_id)
        if before is None:
            raise NotFound(WHAT, policy_id)
        if _place_of(before.settings) != _place_of(settings):
            raise InvalidRequest([f"scope.ref: a policy keeps its place, which is {before.place}"])
        await _place(connection, settings)
        await rows.update(connection, policy_id, settings)
        await _keep_schedule(connection, policy_id, settings)
        await _record(connection, Event.UPDATE_RETENTION, before.place, policy_id, settings)

    await database.run(work)


async def delete(database: Database, policy_id: int) -> None:
    """Forget a policy; raise NotFound, PolicyRunning. Its runs stay to be looked at."""

    async def work(connection: Connection) -> None:
        await schedules.remove(connection, vendor(policy_id))
        found = await rows.get_locked(connection, policy_id)
        if found is None:
            raise NotFound(WHAT, policy_id)
        unfinished = await execution_rows.unfinished_of_vendor(connection, VENDOR_TYPE, policy_id)
        if unfinished:
            raise PolicyRunning(
                f"retention policy {policy_id} has executions that are not finished"
                f" ({', '.join(map(str, unfinished))}); stop them or wait for their end"
            )
        await rows.delete(connection, policy_id)
        await _record(connection, Event.DELETE_RETENTION, found.place, policy_id, found.settings)

    await database.run(work)


async def trial(database: Database, settings: RetentionSettings) -> RetentionSnapshot:
    """Return what a run of a policy would follow that is not saved; raise InvalidRequest."""
    async with database.connection() as connection:
        place, registry = await _place(connection, settings)
    return RetentionSnapshot.tried(settings, place, registry)


async def _place(
    connection: Connection, settings: RetentionSettings
) -> tuple[str, SnapshotEndpoint | None]:
    """Return the name of a policy's place, and the registry where it is another one.

    Raise InvalidRequest where it is not there, or does not tell what the rules ask for.
    """
    if settings.endpoint_id is not None:
        registry = await _registry(connection, settings)
        return registry.name, registry
    try:
        return (await projects.get(connection, settings.project_id or 0)).name, None
    except ProjectNotFound:
        raise InvalidRequest([f"scope.ref: project {settings.project_id} not found"]) from None


async def _registry(connection: Connection, settings: RetentionSettings) -> SnapshotEndpoint:
    endpoint_id = settings.endpoint_id or LOCAL_ID
    found = (await endpoint_rows.by_ids(connection, {endpoint_id})).get(endpoint_id)
    if found is None:
        raise InvalidRequest([f"transship.registry_id: registry {endpoint_id} not found"])
    info = plugins.kinds().get(found.settings.kind)
    problems = list(inventory.untold(settings.rules, info)) if info is not None else []
    if problems:
        raise InvalidRequest(problems)
    return SnapshotEndpoint.of(found.id, found.settings)


def _place_of(settings: RetentionSettings) -> tuple[int | None, int | None]:
    return settings.project_id, settings.endpoint_id


def vendor(policy_id: int) -> Vendor:
    """Return whom a policy's schedule belongs to."""
    return Vendor(type=VENDOR_TYPE, id=policy_id)


async def _keep_schedule(
    connection: Connection, policy_id: int, settings: RetentionSettings
) -> None:
    if not settings.cron:
        await schedules.remove(connection, vendor(policy_id))
        return
    timing = schedule_rules.timing(settings.cron, settings.schedule)
    await schedules.put(connection, NewSchedule(vendor=vendor(policy_id), timing=timing))


async def _record(
    connection: Connection,
    event: Event,
    place: str,
    policy_id: int,
    settings: RetentionSettings,
) -> None:
    details = {"id": policy_id, "cron": settings.cron}
    await audit.record(connection, Entry(event=event, resource=place, details=details))
