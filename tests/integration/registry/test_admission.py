"""A full storage takes no more, a registry that is read only changes nothing; both serve pulls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typing_extensions import override

from access.identity import SYSTEM
from database.pool import Database
from protocol import media_types
from protocol.content import RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.errors import Denied, NotFound
from registry import admission
from registry.portions import PIECE_BYTES
from registry.repository import Beginning
from registry.reserve import Reserve
from registry.service import Registry
from registry.storage.driver import Room
from registry.storage.filesystem import FilesystemStorage
from tests.integration.registry import steps

GIBIBYTE = 1024**3
OTHER = "library/other"


class Disk(FilesystemStorage):
    """A folder on a disk that is as full as a test says."""

    free_bytes = 10 * GIBIBYTE

    @override
    async def room(self) -> Room | None:
        return Room(free_bytes=self.free_bytes, total_bytes=20 * GIBIBYTE)


@pytest.fixture
def storage(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


@pytest.fixture
def registry(database: Database, storage: Disk) -> Registry:
    return Registry(database, storage, reserve=Reserve(percent=5, least_bytes=2 * GIBIBYTE))


async def noted(asked: list[bytes]) -> AsyncIterator[bytes]:
    asked.append(b"x")
    yield b"x"


def fill(registry: Registry, storage: Disk) -> None:
    storage.free_bytes = 2 * GIBIBYTE - 1
    registry.admission._room_until = 0.0  # noqa: SLF001 what a second would do


async def test_a_full_storage_refuses_bytes_before_the_first_and_lets_the_rest_go_on(
    client: steps.Client, registry: Registry, storage: Disk
) -> None:
    blob = await steps.push_blob(client, b"{}")
    waiting = await steps.begin(client)
    fill(registry, storage)
    for method, path in [
        ("POST", f"/v2/{steps.REPOSITORY}/blobs/uploads/"),
        ("POST", f"/v2/{steps.REPOSITORY}/blobs/uploads/?digest={steps.digest(b'other')}"),
        ("PATCH", waiting),
    ]:
        answer = await steps.ask(client, method, path, b"other")
        assert (answer.status, answer.code) == (403, "DENIED")
        assert answer.json["errors"][0]["message"].startswith("storage full: 2.0 GiB of 20.0 GiB")
    mount = f"/v2/{OTHER}/blobs/uploads/?mount={blob}&from={steps.REPOSITORY}"
    assert (await steps.ask(client, "POST", mount)).status == 201
    manifest = f"/v2/{steps.REPOSITORY}/manifests/1.0"
    body = steps.image(b"{}", [])
    put = await steps.ask(client, "PUT", manifest, body, Content_Type=media_types.OCI_MANIFEST)
    assert put.status == 201
    assert (await steps.ask(client, "GET", f"/v2/{steps.REPOSITORY}/blobs/{blob}")).body == b"{}"
    assert (await steps.ask(client, "DELETE", manifest)).status == 202


async def test_a_copy_into_a_full_storage_is_refused_before_its_source_is_read(
    registry: Registry, storage: Disk
) -> None:
    repository = registry.repository(steps.REPOSITORY, SYSTEM)
    blob = Descriptor(media_type=media_types.OCI_LAYER, digest=Digest.of(b"x"), size_bytes=1)
    upload = await repository.begin_blob(blob)
    assert upload is not None
    fill(registry, storage)
    with pytest.raises(Denied, match="storage full"):
        await repository.begin_blob(blob)
    asked: list[bytes] = []
    with pytest.raises(Denied, match="storage full"):
        await upload.send(noted(asked))
    assert asked == []
    assert await upload.recover() == 0


async def test_a_blob_larger_than_what_is_left_is_cut_off_at_the_reserve_and_given_back(
    registry: Registry, storage: Disk, tmp_path: Path
) -> None:
    repository = registry.repository(steps.REPOSITORY, SYSTEM)
    content = bytes(5 * PIECE_BYTES)
    blob = Descriptor(
        media_type=media_types.OCI_LAYER, digest=Digest.of(content), size_bytes=len(content)
    )
    upload = await repository.begin_blob(blob)
    assert upload is not None
    sent: list[int] = []

    async def filling() -> AsyncIterator[bytes]:
        for number in range(5):
            if number == 2:
                fill(registry, storage)
            sent.append(number)
            yield bytes(PIECE_BYTES)

    with pytest.raises(Denied, match=r"storage full: 2\.0 GiB of 20\.0 GiB"):
        await upload.send(filling())
    assert sent == [0, 1, 2]
    assert list((tmp_path / "partial").iterdir()) == []
    with pytest.raises(NotFound):
        await upload.recover()


async def test_a_registry_that_is_read_only_refuses_every_change_with_harbors_words(
    client: steps.Client, registry: Registry
) -> None:
    blob = await steps.push_blob(client, b"{}")
    body = steps.image(b"{}", [])
    manifest = f"/v2/{steps.REPOSITORY}/manifests/1.0"
    typed = {"Content_Type": media_types.OCI_MANIFEST}
    assert (await steps.ask(client, "PUT", manifest, body, **typed)).status == 201
    waiting = await steps.begin(client)
    await registry.set_read_only(on=True)
    uploads = f"/v2/{steps.REPOSITORY}/blobs/uploads/"
    for method, path in [
        ("POST", uploads),
        ("POST", f"/v2/{OTHER}/blobs/uploads/?mount={blob}&from={steps.REPOSITORY}"),
        ("PATCH", waiting),
        ("PUT", f"{waiting}?digest={blob}"),
        ("DELETE", waiting),
        ("PUT", manifest),
        ("DELETE", manifest),
        ("DELETE", f"/v2/{steps.REPOSITORY}/manifests/{Digest.of(body)}"),
        ("DELETE", f"/v2/{steps.REPOSITORY}/blobs/{blob}"),
    ]:
        answer = await steps.ask(client, method, path, body, **typed)
        assert (answer.status, answer.code) == (403, "DENIED"), (method, path)
        assert answer.json["errors"][0]["message"] == admission.READ_ONLY_MESSAGE
    assert (await steps.ask(client, "GET", manifest)).body == body
    await registry.set_read_only(on=False)
    assert (await steps.ask(client, "DELETE", manifest)).status == 202


async def test_the_switch_takes_hold_in_other_processes_within_five_seconds(
    registry: Registry, database: Database, storage: Disk
) -> None:
    other = Registry(database, storage)
    elsewhere = other.repository(steps.REPOSITORY, SYSTEM)
    assert await elsewhere.begin_upload(Beginning()) is not None
    await registry.set_read_only(on=True)
    assert admission.SWITCH_SECONDS < 5
    other.admission._read_only_until -= admission.SWITCH_SECONDS  # noqa: SLF001 as if it had passed
    with pytest.raises(Denied, match="read only mode"):
        await elsewhere.begin_upload(Beginning())
    manifest = RawManifest(media_type=media_types.OCI_MANIFEST, digest=Digest.of(b"{}"), body=b"{}")
    with pytest.raises(Denied, match="read only mode"):
        await elsewhere.write_manifest(manifest, tag="1.0")
