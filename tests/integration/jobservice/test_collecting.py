"""The leader collects by itself, and waits while this registry is read-only."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from database.pool import Database
from jobservice.maintenance import collecting
from jobservice.maintenance.service import Service
from registry.collection.delays import Delays
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage

DELAYS = Delays(review=timedelta(minutes=3), window=timedelta(days=2))
GARBAGE = """
INSERT INTO registry.blobs (digest, size_bytes, storage_key)
SELECT '\\x01' || sha256(number::text::bytea), 1, gen_random_uuid()
FROM generate_series(1, 1200) AS number;
UPDATE registry.gc_queue SET review_after = now()
"""
BLOBS = "SELECT count(*) FROM registry.blobs"
WAITS = "SELECT DISTINCT delay FROM registry.gc_delays WHERE (reason = 'window') = $1"


def services(database: Database, storage: FilesystemStorage) -> dict[str, Service]:
    return {one.name: one for one in collecting.services(database, storage, DELAYS)}


async def test_garbage_goes_batch_by_batch_but_not_while_read_only(
    database: Database, tmp_path: Path
) -> None:
    storage = FilesystemStorage(tmp_path)
    registry = Registry(database, storage)
    chores = services(database, storage)
    await registry.set_read_only(on=True)
    async with database.connection() as connection:
        await connection.execute(GARBAGE)
        await connection.execute(
            "INSERT INTO registry.tombstones (storage_key, reason)"
            " VALUES (gen_random_uuid(), 'expired')"
        )
        for name in ("garbage_collected", "objects_deleted"):
            await chores[name].tick()
        assert await connection.fetchval(BLOBS) == 1200
        assert await connection.fetchval("SELECT count(*) FROM registry.tombstones") == 1
        await registry.set_read_only(on=False)
        for name in ("garbage_collected", "objects_deleted"):
            await chores[name].tick()
        assert await connection.fetchval(BLOBS) == 0
        assert await connection.fetchval("SELECT count(*) FROM registry.tombstones") == 1200


@pytest.mark.parametrize(
    ("grace_seconds", "warnings"), [(None, []), (3600, []), (3599, [3599.0]), (0, [0.0])]
)
async def test_a_grace_under_an_hour_and_no_other_is_warned_of_at_start(
    database: Database, tmp_path: Path, grace_seconds: int | None, warnings: list[float]
) -> None:
    delays = Delays.of(backup_window_days=7, gc_grace_seconds=grace_seconds)
    with structlog.testing.capture_logs() as logged:
        collecting.services(database, FilesystemStorage(tmp_path), delays)
    told = [line for line in logged if line["event"] == "gc_grace_is_short"]
    assert [(line["log_level"], line["seconds"]) for line in told] == [
        ("warning", seconds) for seconds in warnings
    ]


async def test_the_leaders_delays_count_everywhere(database: Database, tmp_path: Path) -> None:
    await services(database, FilesystemStorage(tmp_path))["delays_kept"].tick()
    async with database.connection() as connection:
        waits = [await connection.fetch(WAITS, is_window) for is_window in (True, False)]
    assert [[row["delay"] for row in rows] for rows in waits] == [[DELAYS.window], [DELAYS.review]]
