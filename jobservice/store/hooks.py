"""The tables jobservice.hooks and jobservice.hook_targets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import asyncpg

from database.pool import Connection
from jobservice.domain.hook import (
    EventType,
    Hook,
    HookSettings,
    PayloadFormat,
    Target,
    TargetKind,
)
from jobservice.domain.listing import Equals, Listing, Rows
from jobservice.errors import NameTaken
from jobservice.store import listing as listing_sql

_KNOWN = frozenset(EventType)
COLUMNS = {
    "id": "id",
    "name": "name",
    "description": "description",
    "enabled": "enabled",
    "creator": "creator",
    "creation_time": "created_at",
    "update_time": "updated_at",
    "project_id": "coalesce(project_id, 0)",
}

SELECT = """
SELECT id, project_id, name, description, event_types, statuses, per_task, enabled, creator,
       created_at, updated_at
FROM jobservice.hooks
"""
TABLE = listing_sql.Table(
    select=SELECT,
    source="jobservice.hooks",
    columns=COLUMNS,
)
TARGETS = """
SELECT id, hook_id, kind, format, address, skip_cert_verify, auth_header_sealed, secret_sealed
FROM jobservice.hook_targets WHERE hook_id = ANY($1::bigint[]) ORDER BY hook_id, ordinal
"""


async def page(connection: Connection, listing: Listing, *, project_id: int | None) -> Rows[Hook]:
    """Return one page of a project's hooks, or the installation's; fields as in COLUMNS."""
    scope = Equals(field="project_id", value=project_id or 0)
    scoped = replace(listing, conditions=(scope, *listing.conditions))
    found = await listing_sql.page(connection, TABLE, scoped, dict)
    return Rows(
        items=await _hooks(connection, found.items),
        total=found.total,
        before=found.before,
        after=found.after,
        searched=found.searched,
    )


GET = SELECT + "WHERE id = $1 AND project_id IS NOT DISTINCT FROM $2"  # noqa: S608  constants


async def get(connection: Connection, hook_id: int, *, project_id: int | None) -> Hook | None:
    """Return a hook of a project, or of the installation."""
    found = await _hooks(connection, await connection.fetch(GET, hook_id, project_id))
    return found[0] if found else None


LOCK = "SELECT id FROM jobservice.hooks WHERE id = $1 FOR UPDATE"


async def get_locked(
    connection: Connection, hook_id: int, *, project_id: int | None
) -> Hook | None:
    """Return a hook and keep others from changing it until the transaction ends."""
    await connection.execute(LOCK, hook_id)
    return await get(connection, hook_id, project_id=project_id)


ENABLED = """
SELECT id, project_id, name, description, event_types, statuses, per_task, enabled, creator,
       created_at, updated_at
FROM jobservice.hooks WHERE enabled ORDER BY id FOR KEY SHARE
"""


async def enabled(connection: Connection) -> tuple[Hook, ...]:
    """Return every hook that may be told; none goes until the transaction ends."""
    return await _hooks(connection, await connection.fetch(ENABLED))


# Projects are NULL where the whole installation's pulls are told.
PULLS_TOLD = f"""
SELECT DISTINCT project_id FROM jobservice.hooks
WHERE enabled AND '{EventType.PULL_ARTIFACT}' = ANY(event_types)
"""  # noqa: S608  a constant


async def projects_told_of_pulls(connection: Connection) -> tuple[int, ...] | None:
    """Return the projects of whose pulls a hook wants to hear; None for all of them."""
    found = [row["project_id"] for row in await connection.fetch(PULLS_TOLD)]
    return None if None in found else tuple(found)


INSERT = """
INSERT INTO jobservice.hooks
    (name, description, event_types, statuses, per_task, enabled, creator, project_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
RETURNING id
"""


async def insert(
    connection: Connection, settings: HookSettings, *, creator: str, project_id: int | None
) -> int:
    """Add a hook without targets and return its id; raise NameTaken."""
    try:
        hook_id: int = await connection.fetchval(INSERT, *_values(settings), creator, project_id)
    except asyncpg.UniqueViolationError as error:
        raise NameTaken("webhook policy", settings.name) from error
    return hook_id


UPDATE = """
UPDATE jobservice.hooks
SET name = $2, description = $3, event_types = $4, statuses = $5, per_task = $6, enabled = $7,
    updated_at = now()
WHERE id = $1
"""


async def update(connection: Connection, hook_id: int, settings: HookSettings) -> None:
    """Replace what a hook says; raise NameTaken."""
    try:
        await connection.execute(UPDATE, hook_id, *_values(settings))
    except asyncpg.UniqueViolationError as error:
        raise NameTaken("webhook policy", settings.name) from error


NEXT_TARGET_IDS = """
SELECT nextval(pg_get_serial_sequence('jobservice.hook_targets', 'id')) FROM generate_series(1, $1)
"""


async def next_target_ids(connection: Connection, count: int) -> tuple[int, ...]:
    """Take the ids of targets to come; their secrets are sealed for those."""
    return tuple(row["nextval"] for row in await connection.fetch(NEXT_TARGET_IDS, count))


FORGET_TARGETS = """
DELETE FROM jobservice.hook_targets WHERE hook_id = $1 AND id <> ALL($2::bigint[])
"""
WRITE_TARGET = """
INSERT INTO jobservice.hook_targets
    (id, hook_id, ordinal, kind, format, address, skip_cert_verify, auth_header_sealed,
     secret_sealed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (id) DO UPDATE
SET ordinal = excluded.ordinal, format = excluded.format,
    skip_cert_verify = excluded.skip_cert_verify,
    auth_header_sealed = excluded.auth_header_sealed, secret_sealed = excluded.secret_sealed
"""


async def write_targets(connection: Connection, hook_id: int, targets: Sequence[Target]) -> None:
    """Make these a hook's targets; those with an id that is there keep their deliveries."""
    await connection.execute(FORGET_TARGETS, hook_id, [target.id for target in targets])
    for ordinal, target in enumerate(targets):
        await connection.execute(
            WRITE_TARGET,
            target.id,
            hook_id,
            ordinal,
            target.kind,
            target.format,
            target.address,
            target.skip_cert_verify,
            target.auth_header_sealed,
            target.secret_sealed,
        )


DELETE = "DELETE FROM jobservice.hooks WHERE id = $1"


async def delete(connection: Connection, hook_id: int) -> None:
    """Remove a hook with its targets and deliveries."""
    await connection.execute(DELETE, hook_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastTrigger:
    """When a hook last told of a type of event; None for never, or too long ago to know."""

    name: str
    event_type: str
    enabled: bool
    created_at: datetime
    triggered_at: datetime | None


LAST_TRIGGERS = """
SELECT hook.name, wanted AS event_type, hook.enabled, hook.created_at,
       (SELECT max(delivery.created_at) FROM jobservice.hook_deliveries AS delivery
        WHERE delivery.hook_id = hook.id AND delivery.event_type = wanted) AS triggered_at
FROM jobservice.hooks AS hook, unnest(hook.event_types) WITH ORDINALITY AS types (wanted, place)
WHERE hook.project_id IS NOT DISTINCT FROM $1
ORDER BY hook.id, place
LIMIT 1000
"""


async def last_triggers(
    connection: Connection, *, project_id: int | None
) -> tuple[LastTrigger, ...]:
    """Return when each hook last told of each of its types, for up to a thousand of them."""
    return tuple(LastTrigger(**row) for row in await connection.fetch(LAST_TRIGGERS, project_id))


def _values(settings: HookSettings) -> tuple[Any, ...]:
    return (
        settings.name,
        settings.description,
        list(settings.event_types),
        list(settings.statuses),
        settings.per_task,
        settings.enabled,
    )


async def _hooks(connection: Connection, rows: Iterable[Any]) -> tuple[Hook, ...]:
    found = [dict(row) for row in rows]
    targets: dict[int, list[Target]] = {row["id"]: [] for row in found}
    for row in await connection.fetch(TARGETS, list(targets)) if targets else ():
        targets[row["hook_id"]].append(_target(row))
    return tuple(_hook(row, tuple(targets[row["id"]])) for row in found)


def _hook(row: dict[str, Any], targets: tuple[Target, ...]) -> Hook:
    return Hook(
        id=row["id"],
        project_id=row["project_id"],
        settings=HookSettings(
            name=row["name"],
            description=row["description"],
            # A later release may have added some: while it is rolled out, those are not ours.
            event_types=tuple(EventType(one) for one in row["event_types"] if one in _KNOWN),
            statuses=tuple(row["statuses"]),
            per_task=row["per_task"],
            enabled=row["enabled"],
        ),
        targets=targets,
        creator=row["creator"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _target(row: Any) -> Target:
    return Target(
        id=row["id"],
        kind=TargetKind(row["kind"]),
        format=PayloadFormat(row["format"]),
        address=row["address"],
        skip_cert_verify=row["skip_cert_verify"],
        auth_header_sealed=row["auth_header_sealed"],
        secret_sealed=row["secret_sealed"],
    )
