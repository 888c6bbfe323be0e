"""The table jobservice.endpoints."""

from __future__ import annotations

from typing import Any

import asyncpg

from database.pool import Connection
from jobservice.domain.endpoint import (
    CredentialType,
    EndpointSettings,
    EndpointStatus,
    Handling,
    StoredEndpoint,
)
from jobservice.domain.limits import EndpointLimits
from jobservice.domain.listing import Listing, Rows
from jobservice.errors import NameTaken
from jobservice.store import limits
from jobservice.store import listing as listing_sql

COLUMNS = {
    "id": "id",
    "name": "name",
    "type": "kind",
    "url": "url",
    "status": "status",
    "insecure": "insecure",
    "description": "description",
    "creation_time": "created_at",
    "update_time": "updated_at",
}

SELECT = """
SELECT id, name, kind, url, credential_type, access_key, access_secret_sealed, insecure,
       ca_certificate, description, status, checked_at, zone, created_at, updated_at,
       (SELECT concurrency FROM jobservice.endpoint_limits WHERE endpoint_id = endpoints.id),
       (SELECT requests_per_second FROM jobservice.endpoint_limits WHERE endpoint_id = endpoints.id)
FROM jobservice.endpoints
"""


TABLE = listing_sql.Table(
    select=SELECT,
    source="jobservice.endpoints",
    columns=COLUMNS,
)


async def page(connection: Connection, listing: Listing) -> Rows[StoredEndpoint]:
    """Return one page of endpoints; fields are named as in COLUMNS."""
    return await listing_sql.page(connection, TABLE, listing, _endpoint)


GET = SELECT + "WHERE id = $1"
GET_LOCKED = GET + " FOR UPDATE"
GET_BY_NAME = SELECT + "WHERE name = $1"


async def get(connection: Connection, endpoint_id: int) -> StoredEndpoint | None:
    """Return an endpoint."""
    row = await connection.fetchrow(GET, endpoint_id)
    return _endpoint(row) if row else None


async def get_locked(connection: Connection, endpoint_id: int) -> StoredEndpoint | None:
    """Return an endpoint and keep others from changing it until the transaction ends."""
    row = await connection.fetchrow(GET_LOCKED, endpoint_id)
    return _endpoint(row) if row else None


async def get_by_name(connection: Connection, name: str) -> StoredEndpoint | None:
    """Return the endpoint with this name."""
    row = await connection.fetchrow(GET_BY_NAME, name)
    return _endpoint(row) if row else None


BY_IDS = SELECT + "WHERE id = ANY($1)"


async def by_ids(connection: Connection, ids: set[int]) -> dict[int, StoredEndpoint]:
    """Return the endpoints that are there."""
    rows = await connection.fetch(BY_IDS, list(ids))
    return {row["id"]: _endpoint(row) for row in rows}


BY_IDS_KEPT = BY_IDS + " ORDER BY id FOR KEY SHARE"


async def by_ids_kept(connection: Connection, ids: set[int]) -> dict[int, StoredEndpoint]:
    """Return the endpoints that are there; none of them goes until the transaction ends."""
    rows = await connection.fetch(BY_IDS_KEPT, list(ids))
    return {row["id"]: _endpoint(row) for row in rows}


NEXT_ID = "SELECT nextval(pg_get_serial_sequence('jobservice.endpoints', 'id'))"


async def next_id(connection: Connection) -> int:
    """Take the id of an endpoint to come; its secret is sealed for that id."""
    endpoint_id: int = await connection.fetchval(NEXT_ID)
    return endpoint_id


INSERT = """
INSERT INTO jobservice.endpoints
    (id, access_secret_sealed, name, kind, url, credential_type, access_key, insecure,
     ca_certificate, description, zone, status, checked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'healthy', now())
"""


async def insert(
    connection: Connection, endpoint_id: int, settings: EndpointSettings, sealed: bytes | None
) -> None:
    """Add an endpoint that was just found healthy; raise NameTaken."""
    try:
        await connection.execute(INSERT, endpoint_id, sealed, *_values(settings))
    except asyncpg.UniqueViolationError as error:
        raise NameTaken("registry", settings.name) from error
    await limits.put(connection, endpoint_id, settings.handling.limits)


UPDATE = """
UPDATE jobservice.endpoints
SET access_secret_sealed = $2, name = $3, kind = $4, url = $5, credential_type = $6,
    access_key = $7, insecure = $8, ca_certificate = $9, description = $10, zone = $11,
    status = 'healthy', checked_at = now(), updated_at = now()
WHERE id = $1
"""


async def update(
    connection: Connection, endpoint_id: int, settings: EndpointSettings, sealed: bytes | None
) -> None:
    """Replace an endpoint's settings, just found healthy; raise NameTaken."""
    try:
        await connection.execute(UPDATE, endpoint_id, sealed, *_values(settings))
    except asyncpg.UniqueViolationError as error:
        raise NameTaken("registry", settings.name) from error
    await limits.put(connection, endpoint_id, settings.handling.limits)


SET_STATUS = """
UPDATE jobservice.endpoints SET status = $3, checked_at = now() WHERE id = $1 AND updated_at = $2
"""


async def set_status(
    connection: Connection, checked: StoredEndpoint, status: EndpointStatus
) -> None:
    """Remember what a check found, unless the endpoint was changed since it was read."""
    await connection.execute(SET_STATUS, checked.id, checked.updated_at, status)


DUE = (
    SELECT
    + """
WHERE checked_at IS NULL OR checked_at < now() - ($1 + id * 7 % 60) * interval '1 second'
ORDER BY checked_at NULLS FIRST LIMIT 100
"""
)


async def due(connection: Connection, *, unchecked_seconds: float) -> tuple[StoredEndpoint, ...]:
    """Return up to a hundred endpoints not checked for so long and up to a minute more."""
    return tuple(_endpoint(row) for row in await connection.fetch(DUE, unchecked_seconds))


POLICIES_USING = """
SELECT name FROM jobservice.policies
WHERE source_endpoint_id = $1 OR destination_endpoint_id = $1 ORDER BY name LIMIT 5
"""


async def policies_using(connection: Connection, endpoint_id: int) -> tuple[str, ...]:
    """Return the names of up to five policies that refer to an endpoint."""
    return tuple(row["name"] for row in await connection.fetch(POLICIES_USING, endpoint_id))


EXECUTIONS_USING = """
SELECT id FROM jobservice.executions
WHERE ended_at IS NULL
  AND ((policy_snapshot #>> '{source,endpoint_id}')::bigint = $1
       OR (policy_snapshot #>> '{destination,endpoint_id}')::bigint = $1)
ORDER BY id LIMIT 5
"""


async def executions_using(connection: Connection, endpoint_id: int) -> tuple[int, ...]:
    """Return up to five unfinished executions that began with an endpoint."""
    return tuple(row["id"] for row in await connection.fetch(EXECUTIONS_USING, endpoint_id))


POLICIES_APART = """
SELECT policy.name FROM jobservice.policies AS policy
JOIN jobservice.endpoints AS other
     ON other.id = CASE WHEN policy.source_endpoint_id = $1 THEN policy.destination_endpoint_id
                        ELSE policy.source_endpoint_id END
WHERE (policy.source_endpoint_id = $1 OR policy.destination_endpoint_id = $1) AND other.id <> $1
  AND other.zone <> $2
ORDER BY policy.name LIMIT 5
"""


async def policies_apart(connection: Connection, endpoint_id: int, zone: str) -> tuple[str, ...]:
    """Return up to five policies whose other end is in yet another zone."""
    rows = await connection.fetch(POLICIES_APART, endpoint_id, zone)
    return tuple(row["name"] for row in rows)


DELETE = "DELETE FROM jobservice.endpoints WHERE id = $1"


async def delete(connection: Connection, endpoint_id: int) -> None:
    """Remove an endpoint that nothing refers to."""
    await connection.execute(DELETE, endpoint_id)
    await limits.delete(connection, endpoint_id)


def _values(settings: EndpointSettings) -> tuple[Any, ...]:
    return (
        settings.name,
        settings.kind,
        settings.url,
        settings.credential_type,
        settings.access_key,
        settings.insecure,
        settings.ca_certificate,
        settings.description,
        settings.handling.zone,
    )


def _endpoint(row: Any) -> StoredEndpoint:
    return StoredEndpoint(
        id=row["id"],
        settings=EndpointSettings(
            name=row["name"],
            kind=row["kind"],
            url=row["url"],
            credential_type=CredentialType(row["credential_type"]),
            access_key=row["access_key"],
            insecure=row["insecure"],
            ca_certificate=row["ca_certificate"],
            description=row["description"],
            handling=Handling(
                zone=row["zone"],
                limits=EndpointLimits(
                    concurrency=row["concurrency"],
                    requests_per_second=row["requests_per_second"],
                ),
            ),
        ),
        access_secret_sealed=row["access_secret_sealed"],
        status=EndpointStatus(row["status"]),
        checked_at=row["checked_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
