"""The table jobservice.retention_policies."""

from __future__ import annotations

from typing import Any

from database.pool import Connection
from jobservice.domain.listing import Listing, Rows
from jobservice.domain.policy import SnapshotEndpoint
from jobservice.domain.retention import RetentionPolicy, RetentionSettings, document, rules_of
from jobservice.domain.schedule import ScheduleOptions
from jobservice.store import listing as listing_sql

SOURCE = """
jobservice.retention_policies AS policy
LEFT JOIN access.projects AS project ON project.id = policy.project_id
LEFT JOIN jobservice.endpoints AS endpoint ON endpoint.id = policy.endpoint_id
"""
COLUMNS = {
    "id": "policy.id",
    "project_id": "policy.project_id",
    "registry_id": "policy.endpoint_id",
    "creation_time": "policy.created_at",
    "update_time": "policy.updated_at",
}
SELECT = f"""
SELECT policy.id, policy.project_id, policy.endpoint_id, policy.rules, policy.cron,
       policy.extension, coalesce(project.name, endpoint.name) AS place,
       endpoint.kind, endpoint.url, endpoint.name AS registry, endpoint.insecure,
       policy.created_at, policy.updated_at
FROM {SOURCE}
"""  # noqa: S608  a constant of this module
TABLE = listing_sql.Table(select=SELECT, source=SOURCE, columns=COLUMNS)


async def page(connection: Connection, listing: Listing) -> Rows[RetentionPolicy]:
    """Return one page of policies; fields are named as in COLUMNS."""
    return await listing_sql.page(connection, TABLE, listing, _policy)


GET = SELECT + "WHERE policy.id = $1"
GET_LOCKED = GET + " FOR UPDATE OF policy"
GET_SHARED = GET + " FOR SHARE OF policy"


async def get(connection: Connection, policy_id: int) -> RetentionPolicy | None:
    """Return a policy."""
    row = await connection.fetchrow(GET, policy_id)
    return _policy(row) if row else None


async def get_locked(connection: Connection, policy_id: int) -> RetentionPolicy | None:
    """Return a policy; until the transaction ends nobody else starts, changes or deletes it."""
    row = await connection.fetchrow(GET_LOCKED, policy_id)
    return _policy(row) if row else None


async def get_shared(connection: Connection, policy_id: int) -> RetentionPolicy | None:
    """Return a policy; until the transaction ends it is neither changed nor deleted."""
    row = await connection.fetchrow(GET_SHARED, policy_id)
    return _policy(row) if row else None


OF_PROJECTS = """
SELECT project_id, id FROM jobservice.retention_policies WHERE project_id = ANY($1::bigint[])
"""


async def of_projects(connection: Connection, project_ids: list[int]) -> dict[int, int]:
    """Return the ids of policies by project; projects without one are left out."""
    rows = await connection.fetch(OF_PROJECTS, project_ids)
    return {row["project_id"]: row["id"] for row in rows}


INSERT = """
INSERT INTO jobservice.retention_policies (project_id, endpoint_id, rules, cron, extension)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT (project_id) DO NOTHING RETURNING id
"""


async def insert(connection: Connection, settings: RetentionSettings) -> int | None:
    """Add a policy and return its id; None where its project has one."""
    policy_id: int | None = await connection.fetchval(
        INSERT, settings.project_id, settings.endpoint_id, *_values(settings)
    )
    return policy_id


UPDATE = """
UPDATE jobservice.retention_policies
SET rules = $2, cron = $3, extension = $4, updated_at = now() WHERE id = $1
"""


async def update(connection: Connection, policy_id: int, settings: RetentionSettings) -> None:
    """Replace what a policy says; its place stays."""
    await connection.execute(UPDATE, policy_id, *_values(settings))


DELETE = "DELETE FROM jobservice.retention_policies WHERE id = $1"


async def delete(connection: Connection, policy_id: int) -> None:
    """Remove a policy; its schedule goes with it."""
    await connection.execute(DELETE, policy_id)


def _values(settings: RetentionSettings) -> tuple[Any, ...]:
    extension = {"schedule": settings.schedule.to_json(), "guard_percent": settings.guard_percent}
    return document(settings.rules), settings.cron, extension


def _policy(row: Any) -> RetentionPolicy:
    extension = row["extension"]
    return RetentionPolicy(
        id=row["id"],
        settings=RetentionSettings(
            project_id=row["project_id"],
            endpoint_id=row["endpoint_id"],
            rules=rules_of(row["rules"]),
            cron=row["cron"],
            schedule=ScheduleOptions.from_json(extension.get("schedule", {})),
            guard_percent=extension["guard_percent"],
        ),
        place=row["place"],
        registry=_registry(row),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _registry(row: Any) -> SnapshotEndpoint | None:
    if row["endpoint_id"] is None:
        return None
    return SnapshotEndpoint(
        endpoint_id=row["endpoint_id"],
        kind=row["kind"],
        url=row["url"],
        name=row["registry"],
        insecure=row["insecure"],
    )


OF_ENDPOINT = "SELECT id FROM jobservice.retention_policies WHERE endpoint_id = $1 ORDER BY id"


async def of_endpoint(connection: Connection, endpoint_id: int) -> list[int]:
    """Return the ids of the policies of another registry."""
    return [row["id"] for row in await connection.fetch(OF_ENDPOINT, endpoint_id)]
