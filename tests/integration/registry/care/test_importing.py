"""Adopting a storage of the CNCF distribution registry, made by hand for its odd cases."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from uuid import UUID

import pytest

from access.identity import SYSTEM
from database.pool import Database
from protocol.digest import Digest
from registry.care.distribution_folder import DistributionFolder
from registry.care.errors import NotAdoptable, NotAStorage
from registry.care.handing_over import HandedOver, HandingOver
from registry.care.importing import Wish
from registry.collection import sweeping
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from registry.stored_object import StoredObject
from tests.fakes.distribution_folder import OldFolder
from tests.integration.registry.care.backups import COLLECT
from tests.integration.registry.care.conftest import Importer
from tests.integration.registry.steps import Client, ask

OBJECTS = "SELECT storage_key FROM registry.blobs"


async def keys(database: Database) -> set[str]:
    async with database.connection() as connection:
        return {row["storage_key"].hex for row in await connection.fetch(OBJECTS)}


def files(storage: FilesystemStorage) -> set[str]:
    folder = storage.path(UUID(int=0)).parents[1]
    return {path.name for path in folder.glob("*/*")}


ROWS = """
SELECT (SELECT count(*) FROM access.projects) AS projects,
       (SELECT count(*) FROM registry.repositories) AS repositories,
       (SELECT count(*) FROM registry.adopted_storages) AS storages
"""


async def rows(database: Database) -> dict[str, int]:
    async with database.connection() as connection:
        return dict(await connection.fetchrow(ROWS) or {})


async def pulled(client: Client, repository: str, reference: str) -> bytes:
    """Pull an image with its layers, as docker does; return its first layer."""
    answer = await ask(client, "GET", f"/v2/{repository}/manifests/{reference}")
    assert answer.status == 200, answer
    for part in (answer.json["config"], *answer.json["layers"]):
        blob = await ask(client, "GET", f"/v2/{repository}/blobs/{part['digest']}")
        assert Digest.of(blob.body) == Digest.parse(part["digest"])
    layer = answer.json["layers"][0]
    return (await ask(client, "GET", f"/v2/{repository}/blobs/{layer['digest']}")).body


async def test_everything_that_a_manifest_names_is_here_and_nothing_was_copied(
    importer: Importer, old: OldFolder, client: Client, storage: FilesystemStorage
) -> None:
    content = b"a layer" * 1000
    image = old.image("team/app", content, "1.0", "latest")
    old.index("team/app", [image], "multi")
    outcome = await importer.run()
    assert outcome.skipped == {}
    assert (outcome.taken.manifests, outcome.taken.tags, outcome.taken.blobs) == (2, 3, 2)
    assert outcome.taken.projects == ["team"]
    assert await pulled(client, "team/app", "1.0") == content
    index = await ask(client, "GET", "/v2/team/app/manifests/multi")
    assert index.json["manifests"][0]["digest"] == str(image)
    linked = {path.stat().st_ino for path in storage.path(UUID(int=0)).parents[1].glob("*/*")}
    assert old.data(Digest.of(content)).stat().st_ino in linked


async def test_a_repository_in_no_project_goes_into_the_one_that_is_named(
    importer: Importer, old: OldFolder, client: Client
) -> None:
    old.image("alpine", b"apk", "3.20")
    assert (await importer.run(Wish(project="hub"))).skipped == {}
    assert await pulled(client, "hub/alpine", "3.20") == b"apk"


async def test_two_repositories_never_become_one(importer: Importer, old: OldFolder) -> None:
    old.image("alpine", b"apk", "3.20")
    old.image("library/alpine", b"other", "3.20")
    outcome = await importer.run()
    assert "choose another --project" in outcome.skipped["alpine"]
    assert (outcome.taken.manifests, outcome.taken.tags) == (1, 1)


async def test_what_cannot_be_accepted_is_listed_with_its_reason_and_the_rest_is_taken(
    importer: Importer, old: OldFolder, client: Client
) -> None:
    old.image("team/app", b"sound", "sound")
    broken = old.image("team/app", b"will break", "broken")
    old.data(Digest.of(b"will break")).write_bytes(b"has broken")
    short = old.image("team/app", b"will be cut", "short")
    old.data(Digest.of(b"will be cut")).write_bytes(b"will be")
    holey = old.image("team/app", b"will go", "holey")
    old.data(Digest.of(b"will go")).unlink()
    ancient = old.manifest("team/app", {"schemaVersion": 1, "fsLayers": []}, "ancient")
    forged = old.image("team/app", b"forged", "forged")
    old.data(forged).write_text("{}")
    orphan = old.index("team/app", [Digest.of(b"no manifest")], "orphan")
    old.link("team/app", "tags/dangling/current", str(Digest.of(b"gone")))
    old.link("team/app", "tags/garbled/current", "sha256:abc")
    (old.root / "repositories/team/app/_manifests/tags/empty").mkdir()
    outcome = await importer.run()
    reasons = outcome.skipped
    assert "is damaged there" in reasons[f"team/app@{broken}"]
    assert "has 7 bytes there and 11 in the manifest" in reasons[f"team/app@{short}"]
    assert "is not in the storage" in reasons[f"team/app@{holey}"]
    assert "Docker schema 1" in reasons[f"team/app@{ancient}"]
    assert str(forged) in reasons[f"team/app@{forged}"]
    assert str(Digest.of(b"no manifest")) in reasons[f"team/app@{orphan}"]
    assert "left out, or not there" in reasons["team/app:dangling"]
    assert "its link is broken" in reasons["team/app:garbled"]
    assert "no current/link" in reasons["team/app:empty"]
    tags = {f"team/app:{tag}" for tag in ("broken", "short", "holey", "ancient", "forged")}
    assert tags <= set(reasons)
    assert await pulled(client, "team/app", "sound") == b"sound"
    assert (outcome.taken.manifests, outcome.taken.tags) == (1, 1)


async def test_a_name_that_is_none_here_is_listed(importer: Importer, old: OldFolder) -> None:
    old.image("-team/app", b"x", "1")
    outcome = await importer.run()
    assert "-team/app" in outcome.skipped
    assert outcome.taken.manifests == 0


async def test_a_second_import_does_nothing_twice_and_takes_what_is_new(
    importer: Importer, old: OldFolder, client: Client, storage: FilesystemStorage
) -> None:
    old.image("team/app", b"first", "1", "latest")
    await importer.run()
    before = files(storage)
    again = await importer.run()
    assert again.skipped == {}
    assert (again.taken.manifests, again.taken.tags, again.taken.blobs) == (0, 0, 0)
    assert (again.taken.manifests_here, again.taken.tags_here) == (1, 2)
    assert files(storage) == before
    old.image("team/app", b"second", "2", "latest")
    new = await importer.run()
    assert (new.taken.manifests, new.taken.tags, new.taken.blobs) == (1, 2, 2)
    assert await pulled(client, "team/app", "latest") == b"second"


async def test_a_tag_that_was_moved_here_since_stays_and_is_listed(
    importer: Importer, old: OldFolder, registry: Registry
) -> None:
    first = old.image("team/app", b"first", "latest")
    await importer.run()
    here = registry.repository("team/app", SYSTEM)
    raw = await here.read_manifest(str(first))
    ours = type(raw)(media_type="", digest=Digest.of(raw.body + b"\n"), body=raw.body + b"\n")
    await here.put_manifest(ours, tags=["latest"])
    old.image("team/app", b"second", "latest")
    outcome = await importer.run()
    assert "moved here since" in outcome.skipped["team/app:latest"]
    assert (await here.resolve("latest")).digest == ours.digest


async def test_a_dry_run_counts_and_changes_nothing(
    importer: Importer, old: OldFolder, database: Database, storage: FilesystemStorage
) -> None:
    image = old.image("team/app", b"layer", "1")
    old.image("team/other", b"layer", "1")
    old.index("team/app", [image], "multi")
    old.link("team/app", "tags/dangling/current", str(Digest.of(b"gone")))
    before = await rows(database)
    dry = await importer.run(Wish(dry_run=True))
    assert files(storage) == set()
    assert await rows(database) == before
    wet = await importer.run()
    assert dry.skipped == wet.skipped
    counts = (dry.taken.manifests, dry.taken.tags, dry.taken.blobs, dry.taken.projects)
    assert counts == (wet.taken.manifests, wet.taken.tags, wet.taken.blobs, wet.taken.projects)
    assert dry.taken.blob_bytes == wet.taken.blob_bytes


async def test_a_quick_import_trusts_sizes(importer: Importer, old: OldFolder) -> None:
    old.image("team/app", b"will break", "1")
    old.data(Digest.of(b"will break")).write_bytes(b"has broken")
    assert (await importer.run(Wish(quick=True))).skipped == {}


class Died(BaseException):
    """The process is gone: nobody handles this."""


class DyingFolder(DistributionFolder):
    """Dies when the second blob has been linked."""

    linked = 0

    async def adopt(self, digest: Digest, key: UUID) -> bool:  # type: ignore[explicit-override]
        is_ours = await super().adopt(digest, key)
        self.linked += 1
        if self.linked == 2:
            raise Died
        return is_ours


async def test_a_killed_import_goes_on_and_leaves_no_object_without_a_row(
    importer: Importer, old: OldFolder, database: Database, storage: FilesystemStorage
) -> None:
    for number in range(3):
        old.image("team/app", b"layer %d" % number, str(number))
    with pytest.raises(BaseExceptionGroup) as caught:
        await importer.run(old=DyingFolder(old.folder, storage))
    assert caught.group_contains(Died)
    outcome = await importer.run()
    assert outcome.skipped == {}
    assert (outcome.taken.tags, outcome.taken.tags_here) == (3, 0)
    await sweeping.sweep(database, storage)
    assert files(storage) == await keys(database)
    assert len(files(storage)) == 6


async def test_a_damaged_blob_leaves_no_object_behind(
    importer: Importer, old: OldFolder, database: Database, storage: FilesystemStorage
) -> None:
    old.image("team/app", b"will break", "1")
    old.data(Digest.of(b"will break")).write_bytes(b"has broken")
    await importer.run()
    await sweeping.sweep(database, storage)
    assert files(storage) == await keys(database)
    assert old.data(Digest.of(b"will break")).read_bytes() == b"has broken"


async def test_what_is_deleted_here_stays_there(
    importer: Importer, old: OldFolder, database: Database, storage: FilesystemStorage
) -> None:
    old.image("team/app", b"layer", "1")
    await importer.run()
    for key in await keys(database):
        await storage.delete([StoredObject(UUID(hex=key))])
    assert old.data(Digest.of(b"layer")).read_bytes() == b"layer"


async def test_data_that_no_manifest_names_is_counted(importer: Importer, old: OldFolder) -> None:
    old.image("team/app", b"layer", "1")
    old.blob(b"an upload without a manifest")
    outcome = await importer.run()
    assert (outcome.taken.left, outcome.taken.left_bytes) == (1, 28)


def test_a_folder_that_holds_no_storage_is_refused(
    tmp_path: Path, storage: FilesystemStorage
) -> None:
    with pytest.raises(NotAStorage, match="rootdirectory"):
        DistributionFolder(tmp_path, storage)


async def test_nothing_there_is_removed_before_it_is_handed_over_and_then_what_was_taken(
    importer: Importer, old: OldFolder, client: Client
) -> None:
    image = old.image("team/app", b"layer", "1")
    left = old.blob(b"an upload without a manifest")
    await importer.run()
    assert old.data(image).exists()
    assert old.data(Digest.of(b"layer")).exists()
    done = await hand_over(importer)
    assert (done.removed, done.in_place) == (3, 0)
    assert not old.data(image).exists()
    assert not old.data(Digest.of(b"layer")).exists()
    assert old.data(left).exists()
    assert await pulled(client, "team/app", "1") == b"layer"
    with pytest.raises(NotAdoptable, match="was handed over"):
        await importer.run()
    again = await hand_over(importer)
    assert (again.removed, again.in_place) == (0, 0)


async def hand_over(importer: Importer) -> HandedOver:
    handing_over = HandingOver(
        importer.database, DistributionFolder(importer.old.folder, importer.storage)
    )
    async for _ in handing_over.run():
        pass
    return handing_over.done


async def test_an_original_stays_while_our_object_is_not_whole(
    importer: Importer, old: OldFolder, database: Database, storage: FilesystemStorage
) -> None:
    old.image("team/app", b"layer", "1")
    await importer.run()
    async with database.connection() as connection:
        rows = await connection.fetch(OBJECTS)
    for row in rows:
        storage.path(row["storage_key"]).unlink()
    assert (await hand_over(importer)).in_place == 2
    assert old.data(Digest.of(b"layer")).read_bytes() == b"layer"


async def test_on_another_file_system_blobs_are_read_where_they_lie(
    importer: Importer, old: OldFolder, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_across(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", not_across)
    old.image("team/app", b"layer", "1")
    outcome = await importer.run()
    assert outcome.taken.symbolic_links == 2
    assert await pulled(client, "team/app", "1") == b"layer"
    done = await hand_over(importer)
    assert (done.removed, done.in_place) == (1, 2)
    assert await pulled(client, "team/app", "1") == b"layer"


async def test_a_lost_blob_is_healed_by_an_import(
    importer: Importer, old: OldFolder, database: Database, client: Client
) -> None:
    old.image("team/app", b"layer", "1")
    await importer.run()
    async with database.connection() as connection:
        await connection.execute("UPDATE registry.blobs SET lost_at = now()")
    old.image("team/other", b"layer", "1")
    await importer.run()
    assert await pulled(client, "team/other", "1") == b"layer"
    async with database.connection() as connection:
        lost = await connection.fetchval(
            "SELECT count(*) FROM registry.blobs WHERE lost_at IS NOT NULL"
        )
    assert lost == 0


async def test_a_registry_that_is_read_only_takes_nothing(
    importer: Importer, old: OldFolder, registry: Registry, storage: FilesystemStorage
) -> None:
    old.image("team/app", b"layer", "1")
    await registry.set_read_only(on=True)
    with pytest.raises(NotAdoptable, match="read-only"):
        await importer.run()
    assert files(storage) == set()


async def test_what_is_adopted_is_told_to_nobody(
    importer: Importer, old: OldFolder, database: Database
) -> None:
    old.image("team/app", b"a layer", "1.0")
    assert (await importer.run()).taken.tags == 1
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM registry.outbox") == 0


async def test_what_only_a_skipped_manifest_names_is_never_handed_over(
    importer: Importer, old: OldFolder, database: Database
) -> None:
    old.image("team/app", b"sound", "1")
    holey = old.image("team/app", b"will go", "2")
    old.data(Digest.of(b"will go")).unlink()
    config = Digest.of(b'{"of": "will go"}')
    assert (await importer.run()).taken.manifests == 1
    async with database.connection() as connection:
        await connection.execute(
            "DELETE FROM registry.repository_blobs l "
            "WHERE NOT EXISTS (SELECT FROM registry.manifest_blobs e WHERE e.blob_id = l.blob_id)"
        )
        await connection.execute(COLLECT)
    await hand_over(importer)
    assert old.data(holey).exists()
    assert old.data(config).exists()
    assert not old.data(Digest.of(b"sound")).exists()


async def test_originals_of_what_was_here_before_are_handed_over_too(
    importer: Importer, old: OldFolder, database: Database
) -> None:
    old.image("team/app", b"layer", "1")
    await importer.run()
    async with database.connection() as connection:
        await connection.execute("DELETE FROM registry.adoptions")
    again = await importer.run()
    assert again.taken.left == 0
    assert (await hand_over(importer)).removed == 3


async def test_layers_that_many_manifests_share_are_taken_once(
    importer: Importer, old: OldFolder, database: Database
) -> None:
    for number in range(40):
        old.image("team/app", b"shared", str(number), annotations={"number": str(number)})
    assert (await importer.run(Wish(dry_run=True))).taken.blobs == 2
    outcome = await importer.run()
    assert outcome.skipped == {}
    assert (outcome.taken.manifests, outcome.taken.blobs) == (40, 2)
    assert len(await keys(database)) == 2
