"""How much collection would free."""

from __future__ import annotations

from dataclasses import dataclass

from database.pool import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """Objects, and their bytes."""

    objects: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Objects whose rows are gone, and those that only wait for their review.

    `now`: the next sweep takes them; of these `failed` were refused before. `after_window`: they
    can still come back. `unreviewed`: blobs in the queue that no manifest needs, leases or not.
    """

    now: Amount
    failed: Amount
    after_window: Amount
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


async def totals(connection: Connection) -> Totals:
    """Return what could be freed; its cost follows what is deleted and queued."""
    buried = await connection.fetchrow(TOMBSTONES)
    queued = await connection.fetchrow(UNREVIEWED)
    assert buried is not None  # noqa: S101  an aggregate always has a row
    assert queued is not None  # noqa: S101
    found = {**buried, **queued}
    return Totals(
        **{
            name: Amount(objects=found[f"{name}_objects"], bytes=found[f"{name}_bytes"])
            for name in (*_PARTS, "unreviewed")
        }
    )
