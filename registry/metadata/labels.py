"""Rows of labels, and of what carries them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from database.pool import Connection
from registry.metadata import digests
from registry.metadata.manifests import Found

LIMIT: Final = 100  # of an artifact: retention reads them

COLUMNS = "l.id, l.project_id, l.name, l.description, l.color, l.created_at, l.updated_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelWish:
    """What a label is to be; colours are free text."""

    name: str
    description: str
    color: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Label(LabelWish):
    """A label of a project, or everybody's where `project_id` is None."""

    id: int
    project_id: int | None
    created_at: datetime
    updated_at: datetime


def from_row(row: Mapping[str, Any]) -> Label:
    """Read a row of COLUMNS."""
    return Label(**row)


GET = f"SELECT {COLUMNS} FROM registry.labels l WHERE l.id = $1"  # noqa: S608  a constant


async def get(connection: Connection, label_id: int) -> Label | None:
    """Return a label; None if there is none of that id."""
    row = await connection.fetchrow(GET, label_id)
    return from_row(row) if row is not None else None


CREATE = """
INSERT INTO registry.labels (project_id, name, description, color) VALUES ($1, $2, $3, $4)
RETURNING id
"""


async def create(connection: Connection, project_id: int | None, wish: LabelWish) -> int:
    """Add a label and return its id; raise pool.UniqueViolation if the name is taken there."""
    label_id: int = await connection.fetchval(
        CREATE, project_id, wish.name, wish.description, wish.color
    )
    return label_id


CHANGE = """
UPDATE registry.labels SET name = $2, description = $3, color = $4, updated_at = now()
WHERE id = $1 RETURNING id
"""


async def change(connection: Connection, label_id: int, wish: LabelWish) -> bool:
    """Change a label and say whether it is there; raise pool.UniqueViolation."""
    changed = await connection.fetchval(CHANGE, label_id, wish.name, wish.description, wish.color)
    return changed is not None


DELETE = "DELETE FROM registry.labels WHERE id = $1 RETURNING id"


async def delete(connection: Connection, label_id: int) -> bool:
    """Remove a label, from everything that carries it too; say whether it was there."""
    return await connection.fetchval(DELETE, label_id) is not None


CARRIED = f"""
SELECT {COLUMNS} FROM registry.manifest_labels c JOIN registry.labels l ON l.id = c.label_id
WHERE c.repository_id = $1 AND c.digest = $2 ORDER BY l.id
"""  # noqa: S608  a constant


async def carried(connection: Connection, manifest: Found) -> Sequence[Label]:
    """Return the labels of a manifest."""
    rows = await connection.fetch(CARRIED, manifest.repository_id, digests.encode(manifest.digest))
    return [from_row(row) for row in rows]


TOUCH = """
UPDATE registry.manifests SET last_used_at = now() WHERE repository_id = $1 AND digest = $2
RETURNING id
"""


async def touch(connection: Connection, manifest: Found) -> bool:
    """Count a change of a manifest's labels as a use of it; False if it is gone.

    So what retention decided before no longer holds. Until the transaction ends it cannot go.
    """
    stored = digests.encode(manifest.digest)
    return await connection.fetchval(TOUCH, manifest.repository_id, stored) is not None


PUT_ON = f"""
INSERT INTO registry.manifest_labels (repository_id, digest, label_id)
SELECT $1, $2, $3 WHERE (
    SELECT count(*) FROM registry.manifest_labels WHERE repository_id = $1 AND digest = $2
) < {LIMIT}
RETURNING label_id
"""  # noqa: S608  a constant of this module


async def put_on(connection: Connection, manifest: Found, label_id: int) -> bool:
    """Put a label on a manifest that was touched; False if it has LIMIT already.

    Raise pool.UniqueViolation if it has this one, one of pool.REFERENCE_VIOLATIONS if the label
    has gone meanwhile.
    """
    stored = digests.encode(manifest.digest)
    found = await connection.fetchval(PUT_ON, manifest.repository_id, stored, label_id)
    return found is not None


TAKE_OFF = """
DELETE FROM registry.manifest_labels WHERE repository_id = $1 AND digest = $2 AND label_id = $3
RETURNING label_id
"""


async def take_off(connection: Connection, manifest: Found, label_id: int) -> bool:
    """Take a label off a manifest; say whether it had it."""
    stored = digests.encode(manifest.digest)
    found = await connection.fetchval(TAKE_OFF, manifest.repository_id, stored, label_id)
    return found is not None
