"""Continuous collection; the leader does it. Its cost follows the garbage: idle, a probe each.

While this registry is read-only nothing goes.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

import structlog

from database.pool import Database
from jobservice.maintenance.service import Service
from registry.admission import READ_ONLY
from registry.collection import reviewing, sweeping, untagged
from registry.collection.delays import Delays
from registry.collection.reviewing import Scope
from registry.metadata import gc_delays, review_queue, switches
from registry.storage.driver import Storage

REVIEW_SECONDS = 5.0
SWEEP_SECONDS = 60.0
SETTINGS_SECONDS = 60.0
# What a worker that is told to end waits for, at most.
BATCHES_AT_ONCE = 10

log = structlog.get_logger(__name__)


def services(database: Database, storage: Storage, delays: Delays) -> tuple[Service, ...]:
    """Return the chores, to be given to `working.work`."""
    if delays.is_short:
        log.warning("gc_grace_is_short", seconds=delays.window.total_seconds())
    return (
        Service(
            name="delays_kept",
            seconds=SETTINGS_SECONDS,
            tick=functools.partial(_keep, database, delays),
        ),
        _busy("garbage_collected", REVIEW_SECONDS, functools.partial(_review, database)),
        _busy("objects_deleted", SWEEP_SECONDS, functools.partial(_sweep, database, storage)),
        _busy(
            "untagged_queued",
            SETTINGS_SECONDS,
            functools.partial(untagged.queue_for_projects, database),
        ),
    )


def _busy(name: str, seconds: float, batch: Callable[[], Awaitable[bool]]) -> Service:
    """Return a service that goes on at once as long as there is more to do."""

    async def tick() -> None:
        for _ in range(BATCHES_AT_ONCE):
            if not await batch():
                return
        service.wake.set()

    service = Service(name=name, seconds=seconds, tick=tick)
    return service


async def _keep(database: Database, delays: Delays) -> None:
    async with database.transaction() as connection:
        is_new = await gc_delays.keep(connection, review=delays.review, window=delays.window)
    if is_new:
        log.info(
            "collection_delays",
            review_seconds=delays.review.total_seconds(),
            window_seconds=delays.window.total_seconds(),
        )


async def _review(database: Database) -> bool:
    async with database.connection() as connection:
        if not await review_queue.any_due(connection) or await switches.is_on(
            connection, READ_ONLY
        ):
            return False
    done = await reviewing.review(database, Scope())
    if done.manifests or done.links or done.blobs:
        log.info(
            "garbage_collected",
            manifests=done.manifests,
            links=done.links,
            blobs=done.blobs,
            bytes=done.bytes,
        )
    return done.more


async def _sweep(database: Database, storage: Storage) -> bool:
    async with database.connection() as connection:
        if await switches.is_on(connection, READ_ONLY):
            return False
    swept = await sweeping.sweep(database, storage)
    for key, words in swept.failures:
        log.warning("object_not_deleted", key=key, error=words)
    if swept.objects:
        log.info("objects_deleted", count=swept.objects, bytes=swept.bytes)
    return swept.more
