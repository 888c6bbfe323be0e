"""Bytes go when their time has come; what the storage refuses is kept, with its words."""

from __future__ import annotations

from pathlib import Path

from registry.collection import forecasting, sweeping
from registry.metadata import collected
from tests.integration.registry.collection.conftest import Yard

FAILED = """
SELECT attempts || ' ' || (error LIKE '%directory%') || ' ' ||
       (delete_after > now() + interval '50 seconds')
FROM registry.tombstones
"""


def stick(path: Path) -> None:
    """Put a folder in the place of an object, so that it cannot be deleted."""
    path.unlink()
    path.mkdir()


async def test_what_cannot_be_deleted_keeps_its_row_and_no_other_from_going(yard: Yard) -> None:
    for content in (b"a", b"bc"):
        await yard.blob(content)
    await yard.collect()
    one, other = sorted(await yard.tombstones(), key=lambda found: found.size_bytes)
    path = yard.storage.path(one.stored.key)
    stick(path)
    swept = await sweeping.sweep(yard.database, yard.storage, release_now=True)
    assert (swept.objects, swept.bytes, swept.more) == (1, other.size_bytes, False)
    ((key, words),) = swept.failures
    assert (key, "directory" in words) == (str(one.stored.key), True)
    assert await yard.values(FAILED) == ["1 true true"]
    assert (await forecasting.totals(yard.database)).failed.objects == 1
    assert (await sweeping.sweep(yard.database, yard.storage, release_now=True)).failures == ()

    await yard.execute("UPDATE registry.tombstones SET delete_after = now()")
    path.rmdir()
    assert (await sweeping.sweep(yard.database, yard.storage)).objects == 1
    async with yard.database.connection() as connection:
        counts = await collected.counts(connection)
    assert (counts["objects"], counts["object_bytes"], counts["failures"]) == (2, 3, 1)


async def test_nothing_is_released_while_a_backup_holds(yard: Yard) -> None:
    await yard.blob(b"content")
    await yard.collect()
    await yard.execute(
        "INSERT INTO registry.backups (id, destination, lease_until)"
        " VALUES (gen_random_uuid(), 'x', now() + interval '1 minute')"
    )
    assert (await sweeping.sweep(yard.database, yard.storage, release_now=True)).objects == 0
    await yard.execute("UPDATE registry.backups SET lease_until = now()")
    assert (await sweeping.sweep(yard.database, yard.storage, release_now=True)).objects == 1


async def test_deleted_rows_are_forgotten_when_their_window_is_over(yard: Yard) -> None:
    await yard.image("one", "1", "2")
    await yard.repository.delete_tag("1")
    await yard.repository.delete_tag("2")
    await yard.execute("UPDATE registry.deleted_tags SET forget_after = now() WHERE name = '1'")
    await sweeping.sweep(yard.database, yard.storage)
    assert await yard.values("SELECT name FROM registry.deleted_tags") == ["2"]
