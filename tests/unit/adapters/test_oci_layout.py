"""What is particular to layouts; what every kind does is in tests/contract."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from adapters import oci_layout
from adapters.layout import faults, threads
from adapters.layout.directory import DirectoryFiles
from adapters.layout.folder import Folder
from adapters.oci_layout import OciLayoutAdapter
from protocol.errors import (
    Denied,
    DigestMismatch,
    InvalidManifest,
    InvalidReference,
    NotFound,
    Refused,
    SizeMismatch,
    Unavailable,
    Unsupported,
)
from tests.contract import artifacts, places

LAYER = artifacts.blob(b"layer " * 1000)
IMAGE = artifacts.image(LAYER)


def adapter_at(root: Path, *, scheme: str = "oci", roots: list[Path] | None = None) -> Any:
    return places.layout_adapter(f"{scheme}://{root}", roots=[root] if roots is None else roots)


async def test_a_layout_is_what_the_specification_says(tmp_path: Path) -> None:
    store = oci_layout.open_directory(tmp_path / "new")
    await artifacts.put_image(store, IMAGE, tag="1.0")
    root = tmp_path / "new"
    assert json.loads((root / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    listed = json.loads((root / "index.json").read_text())
    assert listed["manifests"][0]["annotations"] == {"org.opencontainers.image.ref.name": "1.0"}
    files = {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}
    digests = [part.descriptor.digest for part in IMAGE.blobs] + [IMAGE.manifest.digest]
    blobs = {f"blobs/{d.algorithm}/{d.encoded}" for d in digests}
    assert files == blobs | {"oci-layout", "index.json", ".index.lock"}


async def test_repositories_are_layouts_beneath_the_root(tmp_path: Path) -> None:
    adapter = adapter_at(tmp_path)
    for name in ("b", "a/b", "a", "a/b/c", "a-b/c"):
        await artifacts.put_image(adapter.content(name), IMAGE, tag="1")
    (tmp_path / "link").symlink_to(tmp_path / "b")
    (tmp_path / "NotAName").mkdir()
    page = await adapter.list_repositories()
    assert page.items == ["a", "a/b", "a/b/c", "a-b/c", "b"]
    assert page.cursor is None
    assert (await adapter.list_repositories(cursor="a/b")).items == ["a/b/c", "a-b/c", "b"]


async def test_artifacts_are_listed_with_their_tags_and_digest(tmp_path: Path) -> None:
    store = adapter_at(tmp_path).content("app")
    await artifacts.put_image(store, IMAGE, tag="1")
    await store.write_manifest(IMAGE.manifest, tag="2")
    signature = artifacts.image(LAYER, subject=IMAGE.manifest)
    await artifacts.put_image(store, signature)
    listed = (await adapter_at(tmp_path).list_artifacts("app")).items
    assert [(a.tags, a.digest) for a in listed] == [(("1", "2"), IMAGE.manifest.digest)]
    with pytest.raises(NotFound):
        await adapter_at(tmp_path).list_artifacts("nowhere")


async def test_the_only_artifact_needs_no_name(tmp_path: Path) -> None:
    store = oci_layout.open_directory(tmp_path)
    await artifacts.put_image(store, IMAGE)
    await artifacts.put_image(store, artifacts.image(LAYER, subject=IMAGE.manifest))
    assert await store.sole_reference() == str(IMAGE.manifest.digest)
    await artifacts.put_image(store, artifacts.image(label="x"), tag="2")
    await artifacts.put_image(store, artifacts.image(label="y"), tag="3")
    with pytest.raises(InvalidReference, match="2, 3"):
        await store.sole_reference()


@pytest.mark.parametrize(
    "url",
    [
        "oci://{root}/../elsewhere",
        "oci://{root}/%2e%2e/elsewhere",
        "oci:relative",
        "oci://host/path",
        "file://{root}",
        "oci://{root}?x=1",
        "http://127.0.0.1",
        "",
    ],
)
async def test_a_url_that_names_no_folder_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidReference, match="write oci:///absolute/path"):
        places.layout_adapter(url.format(root=tmp_path), roots=[tmp_path])


async def test_layouts_are_off_until_roots_are_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="TRANSSHIP_LAYOUT_ROOTS"):
        adapter_at(tmp_path, roots=[])
    with pytest.raises(Refused, match="TRANSSHIP_LAYOUT_ROOTS"):
        adapter_at(tmp_path / "a", roots=[tmp_path / "ab"])


@pytest.mark.parametrize("name", ["../up", "/abs", "a/../b", "a//b", ".", "", "a\0b", "UP"])
async def test_a_repository_name_cannot_lead_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidReference):
        adapter_at(tmp_path).content(name)


@pytest.mark.parametrize("name", ["blobs/x", "a/blobs", "a/index.json", "oci-layout"])
async def test_names_that_layouts_use_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidReference, match="layouts use themselves"):
        adapter_at(tmp_path).content(name)


async def test_no_link_is_followed_on_a_server(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    await artifacts.put_image(oci_layout.open_directory(outside / "app"), IMAGE, tag="1")
    root.mkdir()
    (root / "app").symlink_to(outside / "app")
    (root / "deep").mkdir()
    (root / "deep" / "blobs").symlink_to(outside / "app" / "blobs")
    with pytest.raises(Refused, match="link"):
        await adapter_at(root).content("app").read_manifest("1")
    with pytest.raises(Refused, match="link"):
        await artifacts.put_blob(adapter_at(root).content("app"), LAYER)
    with pytest.raises(Refused, match="link"):
        await artifacts.put_blob(adapter_at(root).content("deep"), artifacts.blob(b"new"))
    with pytest.raises(Refused, match="link"):
        await adapter_at(root / "app", roots=[root]).check()


async def test_a_link_in_place_of_a_blob_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(LAYER.body)
    root = tmp_path / "root"
    store = adapter_at_new(root).content("app")
    await artifacts.put_image(store, IMAGE, tag="1")
    blob = root / "app" / "blobs" / "sha256" / LAYER.descriptor.digest.encoded
    blob.unlink()
    blob.symlink_to(secret)
    with pytest.raises(Refused, match="link"):
        await artifacts.get_blob(store, LAYER.descriptor)


def adapter_at_new(root: Path) -> OciLayoutAdapter:
    root.mkdir()
    return places.layout_adapter(f"oci://{root}", roots=[root])


async def test_a_person_may_follow_links_in_one_shot_commands(tmp_path: Path) -> None:
    await artifacts.put_image(oci_layout.open_directory(tmp_path / "real"), IMAGE, tag="1")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert await oci_layout.open_directory(tmp_path / "link").read_manifest("1") == IMAGE.manifest


async def test_many_writers_lose_no_entry(tmp_path: Path) -> None:
    images = [artifacts.image(LAYER, label=str(n)) for n in range(20)]
    async with asyncio.TaskGroup() as group:
        for number, image in enumerate(images):
            store = oci_layout.open_directory(tmp_path / "layout")
            group.create_task(artifacts.put_image(store, image, tag=f"t{number}"))
    tags = await artifacts.all_tags(oci_layout.open_directory(tmp_path / "layout"))
    assert tags == sorted(f"t{n}" for n in range(20))
    leftovers = [p.name for p in (tmp_path / "layout").rglob("*.part")]
    assert leftovers == []


async def test_what_a_killed_writer_left_is_taken_up(tmp_path: Path) -> None:
    folder = tmp_path / "blobs" / "sha256"
    folder.mkdir(parents=True)
    (folder / f".{LAYER.descriptor.digest.encoded}.part").write_bytes(LAYER.body[:4000])
    store = oci_layout.open_directory(tmp_path)
    upload = await store.begin_blob(LAYER.descriptor)
    assert upload is not None
    assert upload.offset_bytes == 4000
    await upload.send(artifacts.once(LAYER.body[4000:]))
    assert await artifacts.get_blob(store, LAYER.descriptor) == LAYER.body


async def test_a_spoilt_leftover_is_found_out_and_given_up(tmp_path: Path) -> None:
    folder = tmp_path / "blobs" / "sha256"
    folder.mkdir(parents=True)
    (folder / f".{LAYER.descriptor.digest.encoded}.part").write_bytes(b"x" * 4000)
    store = oci_layout.open_directory(tmp_path)
    upload = await store.begin_blob(LAYER.descriptor)
    assert upload is not None
    with pytest.raises(DigestMismatch):
        await upload.send(artifacts.once(LAYER.body[4000:]))
    assert await upload.recover() == 0
    await upload.send(artifacts.once(LAYER.body))
    assert await store.has_blob(LAYER.descriptor)


async def test_two_writers_of_one_blob_do_not_share_a_file(tmp_path: Path) -> None:
    store = oci_layout.open_directory(tmp_path)
    first = await store.begin_blob(LAYER.descriptor)
    second = await store.begin_blob(LAYER.descriptor)
    assert first is not None
    assert second is not None
    await second.send(artifacts.once(LAYER.body))
    await first.send(artifacts.once(LAYER.body))
    assert await artifacts.get_blob(store, LAYER.descriptor) == LAYER.body
    assert list((tmp_path / "blobs" / "sha256").iterdir()) != []


async def test_a_damaged_blob_is_not_handed_out_as_a_manifest(tmp_path: Path) -> None:
    store = oci_layout.open_directory(tmp_path)
    await artifacts.put_image(store, IMAGE, tag="1")
    path = tmp_path / "blobs" / "sha256" / IMAGE.manifest.digest.encoded
    path.write_bytes(path.read_bytes().replace(b"schemaVersion", b"schemaversion"))
    with pytest.raises(DigestMismatch):
        await store.read_manifest("1")


async def test_a_blob_of_another_size_counts_as_absent_and_is_not_read(tmp_path: Path) -> None:
    store = oci_layout.open_directory(tmp_path)
    await artifacts.put_blob(store, LAYER)
    path = tmp_path / "blobs" / "sha256" / LAYER.descriptor.digest.encoded
    path.write_bytes(LAYER.body[:-1])
    assert not await store.has_blob(LAYER.descriptor)
    with pytest.raises(SizeMismatch):
        await artifacts.get_blob(store, LAYER.descriptor)
    await artifacts.put_blob(store, LAYER)
    assert await artifacts.get_blob(store, LAYER.descriptor) == LAYER.body


async def test_referrers_under_the_fallback_tag_of_other_tools_are_found(tmp_path: Path) -> None:
    store = oci_layout.open_directory(tmp_path)
    await artifacts.put_image(store, IMAGE, tag="1")
    other = artifacts.image(LAYER, label="attached")
    await artifacts.put_image(store, other)
    tag = f"sha256-{IMAGE.manifest.digest.encoded}"
    await store.write_manifest(artifacts.index(other.manifest), tag=tag)
    found = [d.digest async for d in store.referrers(IMAGE.manifest.digest)]
    assert found == [other.manifest.digest]


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOENT, NotFound),
        (errno.EACCES, Denied),
        (errno.ELOOP, Refused),
        (errno.ENOTDIR, Refused),
        (errno.ENOSPC, Unavailable),
    ],
)
def test_what_the_disk_says_is_told_with_its_place(number: int, kind: type[Exception]) -> None:
    expected = f"write blob: .*{os.strerror(number)}.*oci:/srv/app"
    with pytest.raises(kind, match=expected), faults.told("write blob", "oci:/srv/app"):
        raise OSError(number, os.strerror(number))


class TestArchive:
    async def test_what_is_written_is_there_after_the_end_and_not_before(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "app.tar"
        async with oci_layout.open_archive(path, writes=True) as store:
            await artifacts.put_image(store, IMAGE, tag="1")
            assert not path.exists()
        assert [p.name for p in tmp_path.iterdir()] == ["app.tar"]
        async with oci_layout.open_archive(path, writes=False) as store:
            assert await store.read_manifest("1") == IMAGE.manifest
            assert await artifacts.get_blob(store, LAYER.descriptor) == LAYER.body

    async def test_more_is_added_and_what_was_there_stays(self, tmp_path: Path) -> None:
        path = tmp_path / "app.tar"
        other = artifacts.image(LAYER, label="other")
        async with oci_layout.open_archive(path, writes=True) as store:
            await artifacts.put_image(store, IMAGE, tag="1")
        async with oci_layout.open_archive(path, writes=True) as store:
            assert await store.begin_blob(LAYER.descriptor) is None
            await artifacts.put_image(store, other, tag="2")
        async with oci_layout.open_archive(path, writes=False) as store:
            assert await artifacts.all_tags(store) == ["1", "2"]
            assert await store.read_manifest("1") == IMAGE.manifest
            assert await artifacts.get_blob(store, LAYER.descriptor) == LAYER.body
        with tarfile.open(path) as tar:
            names = tar.getnames()
        assert len(names) == len(set(names))

    async def test_a_failure_leaves_the_file_as_it_was(self, tmp_path: Path) -> None:
        path = tmp_path / "app.tar"
        async with oci_layout.open_archive(path, writes=True) as store:
            await artifacts.put_image(store, IMAGE, tag="1")
        before = path.read_bytes()

        async def fail_in_the_middle() -> None:
            async with oci_layout.open_archive(path, writes=True) as store:
                await artifacts.put_image(store, artifacts.image(label="x"), tag="2")
                await store.delete_tag("nope")

        with pytest.raises(NotFound):
            await fail_in_the_middle()
        assert path.read_bytes() == before
        assert [p.name for p in tmp_path.iterdir()] == ["app.tar"]

    async def test_the_same_content_gives_the_same_bytes(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            async with oci_layout.open_archive(tmp_path / name, writes=True) as store:
                await artifacts.put_image(store, IMAGE, tag="1")
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

    async def test_files_and_folders_in_it_belong_to_who_wrote_it(self, tmp_path: Path) -> None:
        path = tmp_path / "app.tar"
        async with oci_layout.open_archive(path, writes=True) as store:
            await artifacts.put_image(store, IMAGE, tag="1")
        with tarfile.open(path) as tar:
            members = tar.getmembers()
        folders = [member.name for member in members if member.isdir()]
        assert folders == ["blobs", "blobs/sha256"]
        first_blob = next(member.name for member in members if "blobs/sha256/" in member.name)
        names = [member.name for member in members]
        assert names.index("blobs/sha256") < names.index(first_blob)
        assert {(member.uid, member.gid) for member in members} == {(os.geteuid(), os.getegid())}

    async def test_a_second_writer_is_told_so(self, tmp_path: Path) -> None:
        path = tmp_path / "app.tar"
        async with oci_layout.open_archive(path, writes=True):
            with pytest.raises(Unavailable, match="being written by somebody else"):
                async with oci_layout.open_archive(path, writes=True):
                    pytest.fail("two writers at once")

    async def test_a_compressed_or_foreign_file_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "app.tar"
        path.write_bytes(b"\x1f\x8b" + os.urandom(2000))
        async with oci_layout.open_archive(path, writes=False) as store:
            with pytest.raises(InvalidManifest, match="decompress"):
                await store.read_manifest("1")

    async def test_members_that_are_links_are_not_content(self, tmp_path: Path) -> None:
        path = tmp_path / "app.tar"
        with tarfile.open(path, "w") as tar:
            link = tarfile.TarInfo("index.json")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(link)
        async with oci_layout.open_archive(path, writes=False) as store:
            with pytest.raises(NotFound):
                await store.read_manifest("1")

    async def test_a_server_reads_archives_and_refuses_to_write_them(self, tmp_path: Path) -> None:
        for name in ("app", "app-two"):
            async with oci_layout.open_archive(tmp_path / f"{name}.tar", writes=True) as store:
                await artifacts.put_image(store, IMAGE, tag="1")
        adapter = adapter_at(tmp_path, scheme="oci-archive")
        await adapter.check()
        assert (await adapter.list_repositories()).items == ["app", "app-two"]
        assert (await adapter.list_repositories(cursor="app")).items == ["app-two"]
        assert await adapter.content("app").read_manifest("1") == IMAGE.manifest
        with pytest.raises(Unsupported, match="only reads archives"):
            await adapter.prepare("app")


async def test_a_cancelled_thread_is_waited_for() -> None:
    started, finished = asyncio.Event(), []
    loop = asyncio.get_running_loop()
    proceed = os.pipe()

    def work() -> None:
        loop.call_soon_threadsafe(started.set)
        os.read(proceed[0], 1)
        finished.append(True)

    async def run() -> None:
        await threads.finish(work)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(run())
        await started.wait()
        task.cancel()
        os.write(proceed[1], b"x")
    assert finished == [True]
    assert task.cancelled()
    os.close(proceed[0])
    os.close(proceed[1])


def test_folders_close_with_their_last_user(tmp_path: Path) -> None:
    folder = Folder.open(tmp_path, follows_links=False)
    descriptor = folder.descriptor
    del folder
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_layout_files_of_another_store_are_not_linked(tmp_path: Path) -> None:
    files = DirectoryFiles(lambda **_: Folder.open(tmp_path, follows_links=True), tmp_path)
    assert not files.adopt_blob(LAYER.descriptor, files)
