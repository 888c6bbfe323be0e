"""Deleting the rows that nothing needs: a batch of manifests, one of links, one of blobs.

Each batch is a transaction: rows out of the queue, objects locked, looked at in a later statement,
deleted; what is only held up goes back. Any number may do it at once, and nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from database import pool
from database.pool import Connection, Database
from registry import garbage
from registry.collection import keeping
from registry.garbage import Look, Verdict
from registry.metadata import collected, collection, collection_manifests, review_queue
from registry.metadata.review_queue import Kind, Queued

BATCH: Final = 500
BY: Final = "garbage collection"
_COUNTED: Final = {Kind.MANIFEST: "manifests", Kind.LINK: "links", Kind.BLOB: "blobs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What one run takes; the default is what continuous collection does.

    `ignore_delay` skips the delay of a review, never leases, pins and holds. `delete_untagged` is
    Harbor's: manifests that merely have no tag go, too.
    """

    ignore_delay: bool = False
    delete_untagged: bool = False
    by: str = BY


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """What one batch of each kind came to.

    `bytes` are the blobs', `kept` is what would go but for a lease, a pin, a hold or a lock.
    `more`: another batch would find something.
    """

    manifests: int
    links: int
    blobs: int
    bytes: int
    kept: int
    more: bool


@dataclass(slots=True, kw_only=True)
class _Batch:
    """What became of the rows of one kind."""

    taken: int = 0
    deleted: int = 0
    size_bytes: int = 0
    back: list[tuple[Queued, datetime]] = field(default_factory=list)


async def review(database: Database, scope: Scope, *, limit: int = BATCH) -> Reviewed:
    """Review up to `limit` manifests, links and blobs that are due."""
    manifests = await _batch(database, Kind.MANIFEST, scope, limit, _manifests)
    links = await _batch(database, Kind.LINK, scope, limit, _links)
    blobs = await _batch(database, Kind.BLOB, scope, limit, _blobs)
    batches = (manifests, links, blobs)
    deleted = sum(batch.deleted for batch in batches)
    return Reviewed(
        manifests=manifests.deleted,
        links=links.deleted,
        blobs=blobs.deleted,
        bytes=blobs.size_bytes,
        kept=sum(len(batch.back) for batch in batches),
        more=any(batch.taken == limit for batch in batches) or (scope.ignore_delay and deleted > 0),
    )


_Work = Callable[[Connection, Sequence[Queued], Scope], Awaitable[_Batch]]


async def _batch(database: Database, kind: Kind, scope: Scope, limit: int, work: _Work) -> _Batch:
    async def act(connection: Connection) -> _Batch:
        due = await review_queue.take(
            connection,
            kind,
            limit=limit,
            ignore_delay=scope.ignore_delay,
            delete_untagged=scope.delete_untagged,
        )
        if not due:
            return _Batch()
        batch = await work(connection, due, scope)
        batch.taken = len(due)
        await review_queue.put_back(connection, kind, batch.back)
        grown = {_COUNTED[kind]: batch.deleted, "blob_bytes": batch.size_bytes}
        await collected.count(connection, grown)
        return batch

    return await database.run(act)


async def _manifests(connection: Connection, due: Sequence[Queued], scope: Scope) -> _Batch:
    batch, now = _Batch(), await collection.now(connection)
    by_id = {queued.object_id: queued for queued in due}
    locked = await collection_manifests.lock(connection, list(by_id))
    going: dict[str, list[int]] = {}
    for found in await collection_manifests.facts(connection, list(by_id)):
        queued = by_id[found.id]
        look = Look(
            reason=queued.reason,
            queued_at=queued.queued_at,
            attempts=queued.attempts,
            now=now,
            delete_untagged=scope.delete_untagged,
        )
        judged = garbage.judge(found, look)
        if judged.later is not None:
            batch.back.append((queued, judged.later))
        elif judged.verdict is Verdict.GARBAGE and found.id not in locked:
            batch.back.append((queued, garbage.again_when_locked(now, queued.attempts)))
        elif judged.verdict is Verdict.GARBAGE:
            going.setdefault(judged.reason, []).append(found.id)
    for reason, ids in sorted(going.items()):
        kept = await keeping.kept_by_rules(connection, ids)
        free = [id_ for id_ in ids if id_ not in kept]
        gone = await _delete(connection, free, by=scope.by, reason=reason)
        batch.deleted += len(gone)
        batch.back += [
            (by_id[id_], garbage.again_when_held(now, by_id[id_].attempts))
            for id_ in free
            if id_ not in gone
        ]
    return batch


async def _delete(
    connection: Connection, ids: Sequence[int], *, by: str, reason: str
) -> frozenset[int]:
    """Delete manifests at once; where something refers to one after all, each alone."""
    try:
        async with connection.transaction():
            await collection_manifests.delete(connection, ids, by=by, reason=reason)
    except pool.REFERENCE_VIOLATIONS:
        if len(ids) == 1:
            return frozenset()
        each = [await _delete(connection, [one], by=by, reason=reason) for one in ids]
        return frozenset().union(*each)
    return frozenset(ids)


async def _links(connection: Connection, due: Sequence[Queued], scope: Scope) -> _Batch:
    del scope  # a lease is never skipped
    gone = await collection.delete_links(connection, due)
    return await _counted(connection, gone)


async def _blobs(connection: Connection, due: Sequence[Queued], scope: Scope) -> _Batch:
    del scope
    gone = await collection.bury_blobs(connection, due)
    return await _counted(connection, gone)


async def _counted(connection: Connection, gone: collection.Swept) -> _Batch:
    now = await collection.now(connection)
    return _Batch(
        deleted=gone.count,
        size_bytes=gone.size_bytes,
        back=[
            (queued, max(free_at, garbage.again_when_locked(now, queued.attempts)))
            for queued, free_at in gone.left
        ],
    )
