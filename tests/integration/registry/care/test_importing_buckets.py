"""Adopting a distribution registry's storage in the bucket of this registry."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from access.identity import SYSTEM
from database.pool import Database
from protocol.digest import Digest
from registry.care.distribution_bucket import DistributionBucket
from registry.care.errors import NotAdoptable, NotAStorage
from registry.care.handing_over import HandedOver, HandingOver
from registry.care.importing import Import, Wish
from registry.care.old_repository import Skipped
from registry.care.verifying import Verification
from registry.care.verifying import Wish as AuditWish
from registry.collection import reviewing, sweeping, undeleting
from registry.collection.errors import BytesGone
from registry.collection.reviewing import Scope
from registry.errors import ObjectMissing
from registry.metadata import backups as backup_rows
from registry.service import Registry
from registry.storage import s3 as s3_storage
from registry.storage.s3 import S3Storage
from tests.fakes import s3
from tests.fakes.distribution_folder import OldFolder
from tests.integration.registry.care import backups
from tests.integration.registry.care.backups import COLLECT, UNLINK

PREFIX = "old/registry"
DUE = """
UPDATE registry.repository_blobs SET lease_until = now() - interval '1 second';
UPDATE registry.gc_queue SET review_after = now()
"""


@pytest.fixture
async def bucket(s3_proxy: s3.Proxy) -> AsyncIterator[S3Storage]:
    address = s3.address(s3_proxy.url, prefix="ours")
    await s3.make_bucket(address)
    async with s3_storage.opened(address, redirects=False) as storage:
        yield storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """The old storage, made in a folder and put into the bucket, and what is done with it."""

    database: Database
    storage: S3Storage
    old: OldFolder

    @property
    def there(self) -> DistributionBucket:
        return DistributionBucket(self.storage, bucket=self.storage.bucket.name, prefix=PREFIX)

    async def put(self) -> None:
        for path in self.old.folder.rglob("*"):
            if path.is_file():
                name = f"{PREFIX}/{path.relative_to(self.old.folder)}"
                await self.storage.bucket.call("put_object", name, Body=path.read_bytes())

    async def run(self, wish: Wish | None = None) -> tuple[Import, dict[str, str]]:
        adoption = Import(self.database, self.storage, self.there, wish or Wish())
        skipped = [step async for step in adoption.run() if isinstance(step, Skipped)]
        return adoption, {one.where: one.reason for one in skipped}

    async def hand_over(self) -> HandedOver:
        handing_over = HandingOver(self.database, self.there)
        async for _ in handing_over.run():
            pass
        return handing_over.done

    async def pulled(self, repository: str, tag: str) -> bytes:
        """Read an image's only layer."""
        here = Registry(self.database, self.storage).repository(repository, SYSTEM)
        manifest = await here.read_manifest(tag)
        layer = backups.layer_of(manifest)
        async with here.read_blob(layer) as chunks:
            return b"".join([chunk async for chunk in chunks])

    async def has(self, digest: Digest) -> bool:
        return await self.there.size_bytes(digest) is not None

    async def waiting(self) -> list[str]:
        """Return where the objects lie that wait to be removed."""
        async with self.database.connection() as connection:
            rows = await connection.fetch("SELECT adopted_path FROM registry.tombstones ORDER BY 1")
        return [row["adopted_path"] for row in rows]

    async def delete(self, repository: str, digest: Digest) -> None:
        """Delete an image, collect what it needed, and sweep."""
        here = Registry(self.database, self.storage).repository(repository, SYSTEM)
        await here.delete_manifest(digest)
        async with self.database.connection() as connection:
            await connection.execute(UNLINK, repository)
            await connection.execute(COLLECT)
        await self.sweep()

    async def collect(self, repository: str, digest: Digest) -> None:
        """Delete an image, and let reviews take what it needed: its objects can come back."""
        here = Registry(self.database, self.storage).repository(repository, SYSTEM)
        await here.delete_manifest(digest)
        while True:
            async with self.database.connection() as connection:
                await connection.execute(DUE)
            found = await reviewing.review(self.database, Scope())
            if not (found.manifests or found.links or found.blobs):
                return

    async def sweep(self, *, release_now: bool = False) -> int:
        swept = await sweeping.sweep(self.database, self.storage, release_now=release_now)
        return swept.objects


@pytest.fixture
def adoption(database: Database, bucket: S3Storage, tmp_path: Path) -> Adoption:
    return Adoption(database=database, storage=bucket, old=OldFolder(tmp_path / "old"))


async def test_objects_are_read_where_they_lie(adoption: Adoption) -> None:
    image = adoption.old.image("team/app", b"a layer", "1")
    adoption.old.index("team/app", [image], "multi")
    adoption.old.image("alpine", b"apk", "3.20")
    adoption.old.link("team/app", "tags/garbled/current", "sha256:abc")
    await adoption.put()
    run, skipped = await adoption.run()
    assert list(skipped) == ["team/app:garbled"]
    assert (run.taken.manifests, run.taken.tags, run.taken.blobs) == (3, 3, 4)
    assert await adoption.pulled("team/app", "1") == b"a layer"
    assert await adoption.pulled("library/alpine", "3.20") == b"apk"
    assert await adoption.storage.objects(after=None, limit=10) == []
    again, _ = await adoption.run()
    assert (again.taken.manifests, again.taken.tags, again.taken.blobs) == (0, 0, 0)


async def test_a_damaged_object_is_not_taken_and_stays(adoption: Adoption) -> None:
    adoption.old.image("team/app", b"will break", "1")
    adoption.old.data(Digest.of(b"will break")).write_bytes(b"has broken")
    await adoption.put()
    _, skipped = await adoption.run()
    assert "damaged there" in next(iter(skipped.values()))
    await adoption.sweep()
    assert await adoption.has(Digest.of(b"will break"))


async def test_what_is_deleted_here_stays_in_the_bucket_until_it_is_handed_over(
    adoption: Adoption,
) -> None:
    gone = adoption.old.image("team/gone", b"gone", "1")
    kept = adoption.old.image("team/kept", b"kept", "1")
    await adoption.put()
    await adoption.run()
    await adoption.delete("team/gone", gone)
    assert await adoption.has(Digest.of(b"gone"))
    done = await adoption.hand_over()
    await adoption.sweep()
    assert not await adoption.has(Digest.of(b"gone"))
    assert not await adoption.has(kept)
    assert done.in_place == 2
    assert await adoption.pulled("team/kept", "1") == b"kept"
    await adoption.delete("team/kept", kept)
    assert not await adoption.has(Digest.of(b"kept"))


async def test_what_was_deleted_and_imported_again_is_not_taken_away_by_handing_over(
    adoption: Adoption,
) -> None:
    image = adoption.old.image("team/app", b"layer", "1")
    await adoption.put()
    await adoption.run()
    await adoption.delete("team/app", image)
    await adoption.run()
    await adoption.hand_over()
    await adoption.sweep()
    assert await adoption.pulled("team/app", "1") == b"layer"


async def test_a_lost_blob_that_is_imported_again_is_not_swept(adoption: Adoption) -> None:
    adoption.old.image("team/app", b"layer", "1")
    await adoption.put()
    await adoption.run()
    async with adoption.database.connection() as connection:
        await connection.execute("UPDATE registry.blobs SET lost_at = now()")
    adoption.old.image("team/other", b"layer", "1")
    await adoption.put()
    await adoption.run()
    await adoption.hand_over()
    await adoption.sweep()
    assert await adoption.pulled("team/other", "1") == b"layer"


async def test_what_was_imported_and_deleted_twice_comes_back_once_or_not_at_all(
    adoption: Adoption,
) -> None:
    image = adoption.old.image("team/app", b"layer", "1")
    await adoption.put()
    for _ in range(2):
        await adoption.run()
        await adoption.collect("team/app", image)
    await adoption.hand_over()
    await undeleting.undelete(adoption.database, "team/app", str(image), by="admin")
    await adoption.sweep(release_now=True)
    assert await adoption.pulled("team/app", "1") == b"layer"
    await adoption.collect("team/app", image)
    await adoption.sweep(release_now=True)
    assert not await adoption.has(Digest.of(b"layer"))
    with pytest.raises(BytesGone):
        await undeleting.undelete(adoption.database, "team/app", str(image), by="admin")


async def test_what_is_imported_again_while_its_removal_waits_is_read_and_goes_once(
    adoption: Adoption,
) -> None:
    image = adoption.old.image("team/app", b"layer", "1")
    await adoption.put()
    await adoption.run()
    await adoption.collect("team/app", image)
    assert len(await adoption.waiting()) == 2
    await adoption.run()
    # No sweep takes it from under the blob that reads there again, before or after the commit.
    assert await adoption.sweep(release_now=True) == 0
    assert await adoption.pulled("team/app", "1") == b"layer"
    await adoption.hand_over()
    assert await adoption.sweep(release_now=True) == 0
    assert await adoption.pulled("team/app", "1") == b"layer"
    assert await adoption.waiting() == []
    await adoption.collect("team/app", image)
    assert await adoption.sweep(release_now=True) == 2
    assert not await adoption.has(Digest.of(b"layer"))


async def test_what_was_imported_and_deleted_twice_leaves_no_removal_that_never_ends(
    adoption: Adoption,
) -> None:
    image = adoption.old.image("team/app", b"layer", "1")
    await adoption.put()
    for _ in range(2):
        await adoption.run()
        await adoption.collect("team/app", image)
    await adoption.hand_over()
    assert await adoption.sweep(release_now=True) == 2
    assert not await adoption.has(Digest.of(b"layer"))
    assert await adoption.waiting() == []


@pytest.mark.parametrize("comes_back", [True, False])
async def test_handing_over_leaves_what_can_still_come_back_to_the_sweep(
    adoption: Adoption, *, comes_back: bool
) -> None:
    image = adoption.old.image("team/app", b"layer", "1")
    await adoption.put()
    await adoption.run()
    await adoption.collect("team/app", image)
    done = await adoption.hand_over()
    # The manifest alone is gone there: it is in the database.
    assert (done.removed, done.in_place) == (1, 0)
    assert await adoption.has(Digest.of(b"layer"))
    assert await adoption.sweep() == 0
    if comes_back:
        await undeleting.undelete(adoption.database, "team/app", str(image), by="admin")
    assert await adoption.sweep(release_now=True) == (0 if comes_back else 2)
    assert await adoption.has(Digest.of(b"layer")) is comes_back
    if comes_back:
        assert await adoption.pulled("team/app", "1") == b"layer"


async def test_what_only_a_skipped_manifest_names_is_never_handed_over(
    adoption: Adoption,
) -> None:
    adoption.old.image("team/app", b"will go", "1")
    adoption.old.data(Digest.of(b"will go")).unlink()
    config = Digest.of(b'{"of": "will go"}')
    await adoption.put()
    _, skipped = await adoption.run()
    assert len(skipped) == 2
    async with adoption.database.connection() as connection:
        await connection.execute(UNLINK, "team/app")
        await connection.execute(COLLECT)
    await adoption.hand_over()
    await adoption.sweep()
    assert await adoption.has(config)


async def test_handing_over_waits_for_a_backup(adoption: Adoption) -> None:
    adoption.old.image("team/app", b"layer", "1")
    await adoption.put()
    await adoption.run()
    async with adoption.database.connection() as connection:
        await backup_rows.begin(connection, backups.some_id(), destination="there")
    with pytest.raises(NotAdoptable, match="a backup is running"):
        await adoption.hand_over()
    assert await adoption.has(Digest.of(b"layer"))


async def test_a_backup_holds_what_lies_in_place_and_is_restored_under_keys(
    adoption: Adoption, dsn: str, tmp_path: Path
) -> None:
    adoption.old.image("team/app", b"layer", "1")
    await adoption.put()
    await adoption.run()
    place = backups.Place(dsn=dsn, database=adoption.database, storage=adoption.storage)
    saved = await backups.back_up(place, tmp_path / "backups")
    assert (saved.copied, saved.holes) == (2, {})
    await backups.restore(tmp_path / "backups", dsn, adoption.storage)
    assert len(await adoption.storage.objects(after=None, limit=10)) == 2
    database = await Database.connect(dsn, application_name="restored", max_size=2)
    again = Adoption(database=database, storage=adoption.storage, old=adoption.old)
    assert await again.pulled("team/app", "1") == b"layer"
    await database.close()


async def test_an_import_goes_on_where_it_was_stopped_on_a_bucket_of_which_every_tenth_call_fails(
    adoption: Adoption, s3_proxy: s3.Proxy
) -> None:
    layers = {f"{number}": b"layer %d" % number for number in range(12)}
    for tag, layer in layers.items():
        adoption.old.image(f"team/app-{int(tag) % 3}", layer, tag)
    await adoption.put()
    faults = itertools.cycle(s3.Fault)
    s3_proxy.restart(lambda call: next(faults) if call % 10 == 0 else None)
    stopped = Import(adoption.database, adoption.storage, adoption.there, Wish())
    running = cast("AsyncGenerator[Skipped | None, None]", stopped.run())
    async with contextlib.aclosing(running) as steps:
        async for _ in steps:
            if stopped.taken.manifests == 4:
                break
    ended, skipped = await adoption.run()
    assert len(s3_proxy.calls) > 4 * 10
    s3_proxy.restart()
    assert skipped == {}
    assert ended.taken.manifests == len(layers) - 4
    for tag, layer in layers.items():
        assert await adoption.pulled(f"team/app-{int(tag) % 3}", tag) == layer
    audit = Verification(adoption.database, adoption.storage, AuditWish(safe_age=timedelta(0)))
    assert [one async for one in audit.run() if one is not None] == []
    assert audit.seen.blobs == 2 * len(layers)


async def test_another_bucket_is_refused(bucket: S3Storage) -> None:
    with pytest.raises(NotAdoptable, match="is not the one of this registry"):
        DistributionBucket(bucket, bucket="other", prefix="")


async def test_a_prefix_that_holds_no_storage_is_refused(bucket: S3Storage) -> None:
    nothing = DistributionBucket(bucket, bucket=bucket.bucket.name, prefix="nothing")
    with pytest.raises(NotAStorage, match="rootdirectory"):
        await nothing.check()
    with pytest.raises(ObjectMissing):
        await nothing.manifest(Digest.of(b""))
