"""The table jobservice.policies."""

from __future__ import annotations

from typing import Any

import asyncpg

from database.pool import Connection
from jobservice.domain.listing import Listing, Rows
from jobservice.domain.policy import PolicySettings, StoredPolicy, TriggerKind
from jobservice.domain.schedule import ScheduleOptions
from jobservice.errors import NameTaken
from jobservice.store import listing as listing_sql
from replication.policy import ReplicationPolicy

COLUMNS = {
    "id": "id",
    "name": "name",
    "description": "description",
    "enabled": "enabled",
    "override": "override",
    "trigger": "trigger",
    "src_registry_id": "coalesce(source_endpoint_id, 0)",
    "dest_registry_id": "coalesce(destination_endpoint_id, 0)",
    "dest_namespace": "destination_namespace",
    "creation_time": "created_at",
    "update_time": "updated_at",
}

SELECT = """
SELECT id, name, description, source_endpoint_id, destination_endpoint_id, destination_namespace,
       flattening, trigger, cron, filters, override, enabled, replicate_deletion,
       speed_kilobits, copy_by_chunk, single_active, extension, zone,
       created_at, updated_at
FROM jobservice.policies
"""


TABLE = listing_sql.Table(
    select=SELECT,
    source="jobservice.policies",
    columns=COLUMNS,
)


async def page(connection: Connection, listing: Listing) -> Rows[StoredPolicy]:
    """Return one page of policies; fields are named as in COLUMNS."""
    return await listing_sql.page(connection, TABLE, listing, _policy)


GET = SELECT + "WHERE id = $1"
GET_LOCKED = GET + " FOR UPDATE"
GET_SHARED = GET + " FOR SHARE"


async def get(connection: Connection, policy_id: int) -> StoredPolicy | None:
    """Return a policy."""
    row = await connection.fetchrow(GET, policy_id)
    return _policy(row) if row else None


async def get_locked(connection: Connection, policy_id: int) -> StoredPolicy | None:
    """Return a policy; until the transaction ends nobody else starts, changes or deletes it."""
    row = await connection.fetchrow(GET_LOCKED, policy_id)
    return _policy(row) if row else None


async def get_shared(connection: Connection, policy_id: int) -> StoredPolicy | None:
    """Return a policy; until the transaction ends it is neither changed nor deleted."""
    row = await connection.fetchrow(GET_SHARED, policy_id)
    return _policy(row) if row else None


INSERT = """
INSERT INTO jobservice.policies
    (name, description, source_endpoint_id, destination_endpoint_id, destination_namespace,
     flattening, trigger, cron, filters, override, enabled, replicate_deletion, speed_kilobits,
     copy_by_chunk, single_active, extension)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
RETURNING id
"""


async def insert(connection: Connection, settings: PolicySettings) -> int:
    """Add a policy and return its id; raise NameTaken."""
    try:
        policy_id: int = await connection.fetchval(INSERT, *_values(settings))
    except asyncpg.UniqueViolationError as error:
        raise NameTaken("replication policy", settings.name) from error
    return policy_id


UPDATE = """
UPDATE jobservice.policies
SET name = $1, description = $2, source_endpoint_id = $3, destination_endpoint_id = $4,
    destination_namespace = $5, flattening = $6, trigger = $7, cron = $8,
    filters = $9, override = $10, enabled = $11, replicate_deletion = $12,
    speed_kilobits = $13, copy_by_chunk = $14, single_active = $15,
    extension = $16, updated_at = now()
WHERE id = $17
"""


async def update(connection: Connection, policy_id: int, settings: PolicySettings) -> None:
    """Replace a policy's settings; raise NameTaken."""
    try:
        await connection.execute(UPDATE, *_values(settings), policy_id)
    except asyncpg.UniqueViolationError as error:
        raise NameTaken("replication policy", settings.name) from error


DELETE = "DELETE FROM jobservice.policies WHERE id = $1"


async def delete(connection: Connection, policy_id: int) -> None:
    """Remove a policy."""
    await connection.execute(DELETE, policy_id)


def _values(settings: PolicySettings) -> tuple[Any, ...]:
    rules = settings.rules
    return (
        settings.name,
        settings.description,
        settings.source_endpoint_id,
        settings.destination_endpoint_id,
        rules.destination_namespace,
        rules.flattening,
        settings.trigger,
        settings.cron,
        rules.to_json()["filters"],
        rules.override,
        settings.enabled,
        settings.replicate_deletion,
        rules.speed_kilobits,
        rules.copy_by_chunk,
        settings.single_active,
        {
            "referrers": rules.referrers,
            "schedule": settings.schedule.to_json(),
            "priority": settings.priority,
        },
    )


def _policy(row: Any) -> StoredPolicy:
    extension = row["extension"]
    rules = ReplicationPolicy.from_json(
        {
            "filters": row["filters"],
            "destination_namespace": row["destination_namespace"],
            "flattening": row["flattening"],
            "override": row["override"],
            "referrers": extension.get("referrers", True),
            "speed_kilobits": row["speed_kilobits"],
            "copy_by_chunk": row["copy_by_chunk"],
        }
    )
    return StoredPolicy(
        id=row["id"],
        settings=PolicySettings(
            name=row["name"],
            description=row["description"],
            source_endpoint_id=row["source_endpoint_id"],
            destination_endpoint_id=row["destination_endpoint_id"],
            trigger=TriggerKind(row["trigger"]),
            cron=row["cron"],
            schedule=ScheduleOptions.from_json(extension.get("schedule", {})),
            enabled=row["enabled"],
            replicate_deletion=row["replicate_deletion"],
            single_active=row["single_active"],
            priority=extension.get("priority", 0),
            rules=rules,
        ),
        zone=row["zone"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
