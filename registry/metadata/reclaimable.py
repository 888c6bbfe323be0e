"""How much collection would free."""

from __future__ import annotations

from dataclasses import dataclass

from database.pool import Connection, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """Objects, and their bytes."""

    objects: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Buried:
    """Objects whose rows are gone.

    `now`: the next sweep takes them; of these `failed` were refused before. `after_window`: they
    can still come back.
    """

    now: Amount
    failed: Amount
    after_window: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals(Buried):
    """These, and what only waits for its review: blobs in the queue that no manifest needs."""

    unreviewed: Amount


_AMOUNT = (
    "count(*){where} AS {name}_objects, coalesce(sum(size_bytes){where}, 0)::bigint AS {name}_bytes"
)
_PARTS = {
    "now": "delete_after <= now() OR released_at IS NOT NULL",
    "failed": "attempts > 0",
    "after_window": "delete_after > now() AND released_at IS NULL",
}
TOMBSTONES = f"""
SELECT {
    ", ".join(
        _AMOUNT.format(name=name, where=f" FILTER (WHERE {condition})")
        for name, condition in _PARTS.items()
    )
} FROM registry.tombstones
"""  # noqa: S608 constants only
UNREVIEWED = f"""
SELECT {_AMOUNT.format(name="unreviewed", where="")} FROM (
    SELECT object_id FROM registry.gc_queue WHERE kind = 'l'
    UNION SELECT object_id FROM registry.gc_queue WHERE kind = 'b'
) AS queued JOIN registry.blobs b ON b.id = queued.object_id
WHERE NOT EXISTS (
    SELECT FROM registry.repository_blobs l
    JOIN registry.manifest_blobs m USING (repository_id, blob_id) WHERE l.blob_id = b.id
)
"""  # noqa: S608 constants only


async def buried(connection: Connection) -> Buried:
    """Return what a sweep could free."""
    row = await connection.fetchrow(TOMBSTONES)
    assert row is not None  # noqa: S101  an aggregate always has a row
    return Buried(**{name: _amount(row, name) for name in _PARTS})


async def totals(connection: Connection) -> Totals:
    """Return what could be freed; its cost follows what is deleted and queued."""
    found = await buried(connection)
    row = await connection.fetchrow(UNREVIEWED)
    assert row is not None  # noqa: S101  an aggregate always has a row
    return Totals(
        now=found.now,
        failed=found.failed,
        after_window=found.after_window,
        unreviewed=_amount(row, "unreviewed"),
    )


def _amount(row: Record, name: str) -> Amount:
    return Amount(objects=row[f"{name}_objects"], bytes=row[f"{name}_bytes"])
