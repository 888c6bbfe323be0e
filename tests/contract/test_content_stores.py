"""What every content store does, whatever kind of registry it belongs to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from protocol.content import ContentStore, RawManifest
from protocol.digest import Algorithm, Digest
from protocol.errors import (
    ContentError,
    DigestMismatch,
    NotFound,
    RegistryError,
    SizeMismatch,
    Unsupported,
)
from tests.contract import artifacts
from tests.contract.places import Place

LAYER = artifacts.blob(b"the only layer " * 9000)
IMAGE = artifacts.image(LAYER, label="one")
OTHER = artifacts.image(LAYER, label="two")


@pytest.fixture
def store(place: Place) -> ContentStore:
    return place.open("mirror/app")


async def test_an_image_comes_back_byte_identical(store: ContentStore) -> None:
    await artifacts.put_image(store, IMAGE, tag="1.0")
    by_tag = await store.read_manifest("1.0")
    by_digest = await store.read_manifest(str(IMAGE.manifest.digest))
    assert by_tag == by_digest == IMAGE.manifest
    for part in IMAGE.blobs:
        assert await artifacts.get_blob(store, part.descriptor) == part.body


async def test_a_tag_resolves_without_its_content(store: ContentStore) -> None:
    await artifacts.put_image(store, IMAGE, tag="1.0")
    assert await store.resolve("1.0") == IMAGE.manifest.descriptor


async def test_a_tag_moves_and_the_old_manifest_stays(store: ContentStore) -> None:
    await artifacts.put_image(store, IMAGE, tag="latest")
    await artifacts.put_image(store, OTHER, tag="latest")
    assert (await store.resolve("latest")).digest == OTHER.manifest.digest
    assert await store.read_manifest(str(IMAGE.manifest.digest)) == IMAGE.manifest
    assert await artifacts.all_tags(store) == ["latest"]


async def test_one_manifest_may_have_many_tags(store: ContentStore) -> None:
    await artifacts.put_image(store, IMAGE, tag="1")
    await store.write_manifest(IMAGE.manifest, tag="1.0")
    await store.write_manifest(IMAGE.manifest, tag="1.0")
    assert await artifacts.all_tags(store) == ["1", "1.0"]


async def test_an_index_of_indexes_comes_back_byte_identical(store: ContentStore) -> None:
    await artifacts.put_image(store, IMAGE)
    await artifacts.put_image(store, OTHER)
    inner = artifacts.index(IMAGE.manifest, OTHER.manifest)
    outer = artifacts.index(inner)
    await store.write_manifest(inner)
    await store.write_manifest(outer, tag="all")
    for wanted in (inner, outer, IMAGE.manifest, OTHER.manifest):
        assert await store.read_manifest(str(wanted.digest)) == wanted
    assert await artifacts.all_tags(store) == ["all"]


async def test_referrers_are_found_by_their_subject(store: ContentStore) -> None:
    await artifacts.put_image(store, IMAGE, tag="1.0")
    signature = artifacts.image(artifacts.blob(b"sig"), subject=IMAGE.manifest, label="a")
    statement = artifacts.image(artifacts.blob(b"sbom"), subject=IMAGE.manifest, label="b")
    await artifacts.put_image(store, signature)
    await artifacts.put_image(store, statement)
    found = {d.digest: d async for d in store.referrers(IMAGE.manifest.digest)}
    assert set(found) == {signature.manifest.digest, statement.manifest.digest}
    one = found[signature.manifest.digest]
    assert one.artifact_type == "application/vnd.example.signature"
    assert one.annotations == {"org.example.label": "a"}
    assert one.size_bytes == len(signature.manifest.body)


async def test_a_referrer_may_come_before_its_subject(store: ContentStore) -> None:
    signature = artifacts.image(artifacts.blob(b"sig"), subject=IMAGE.manifest)
    await artifacts.put_image(store, signature)
    await artifacts.put_image(store, IMAGE, tag="1.0")
    found = [d.digest async for d in store.referrers(IMAGE.manifest.digest)]
    assert found == [signature.manifest.digest]


async def test_nothing_refers_to_what_is_not_there(store: ContentStore) -> None:
    assert [d async for d in store.referrers(Digest.of(b"nothing"))] == []


async def test_sha512_blobs_keep_their_digest(place: Place, store: ContentStore) -> None:
    if not place.sha512:
        pytest.skip("this registry knows no sha512")
    layer = artifacts.blob(b"long digest", algorithm=Algorithm.SHA512)
    await artifacts.put_image(store, artifacts.image(layer), tag="512")
    assert await store.has_blob(layer.descriptor)
    assert await artifacts.get_blob(store, layer.descriptor) == layer.body


async def test_a_blob_may_be_empty(store: ContentStore) -> None:
    empty = artifacts.blob(b"")
    await artifacts.put_image(store, artifacts.image(empty), tag="empty")
    assert await store.has_blob(empty.descriptor)
    assert await artifacts.get_blob(store, empty.descriptor) == b""


async def test_a_blob_is_read_from_an_offset(store: ContentStore) -> None:
    await artifacts.put_blob(store, LAYER)
    tail = await artifacts.get_blob(store, LAYER.descriptor, offset_bytes=70_001)
    assert tail == LAYER.body[70_001:]


async def test_a_blob_that_is_there_is_not_asked_for_again(store: ContentStore) -> None:
    await artifacts.put_image(store, IMAGE, tag="1.0")
    assert await store.has_blob(LAYER.descriptor)
    assert await store.begin_blob(LAYER.descriptor, mount_from=store.repository) is None


async def test_a_blob_of_another_size_does_not_count_as_there(store: ContentStore) -> None:
    await artifacts.put_image(store, IMAGE, tag="1.0")
    promised = replace(LAYER.descriptor, size_bytes=len(LAYER.body) + 1)
    try:
        there = await store.has_blob(promised)
    except SizeMismatch:
        there = False
    assert not there


async def test_a_blob_of_another_repository_is_mounted_where_that_is_promised(
    place: Place, store: ContentStore
) -> None:
    await artifacts.put_image(store, IMAGE, tag="1.0")
    neighbour = place.open("mirror/neighbour")
    upload = await neighbour.begin_blob(LAYER.descriptor, mount_from=store.repository)
    if upload is None:
        assert await artifacts.get_blob(neighbour, LAYER.descriptor) == LAYER.body
    else:
        assert not neighbour.capabilities.mounts_across_repositories
        await upload.cancel()


async def test_wrong_bytes_are_refused_and_never_shown(store: ContentStore) -> None:
    wrong = bytes(reversed(LAYER.body))
    upload = await store.begin_blob(LAYER.descriptor)
    assert upload is not None
    with pytest.raises((ContentError, RegistryError)):
        await upload.send(artifacts.once(wrong))
    await upload.cancel()
    assert not await store.has_blob(LAYER.descriptor)


@pytest.mark.parametrize("body", [LAYER.body[:-1], LAYER.body + b"!"], ids=["short", "long"])
async def test_a_wrong_length_is_refused_and_never_shown(store: ContentStore, body: bytes) -> None:
    upload = await store.begin_blob(LAYER.descriptor)
    assert upload is not None
    with pytest.raises((SizeMismatch, DigestMismatch, RegistryError)):
        await upload.send(artifacts.once(body))
    await upload.cancel()
    assert not await store.has_blob(LAYER.descriptor)


async def test_a_cancelled_upload_leaves_nothing_and_may_be_repeated(store: ContentStore) -> None:
    first = await store.begin_blob(LAYER.descriptor)
    assert first is not None
    await first.cancel()
    assert not await store.has_blob(LAYER.descriptor)
    await artifacts.put_blob(store, LAYER)
    assert await store.has_blob(LAYER.descriptor)


async def test_an_interrupted_upload_goes_on_where_it_stopped(store: ContentStore) -> None:
    upload = await store.begin_blob(LAYER.descriptor)
    assert upload is not None
    with pytest.raises(_SourceBroke):
        await upload.send(_broken(LAYER.body[:50_000]))
    offset = await upload.recover()
    assert 0 <= offset <= 50_000
    await upload.send(artifacts.once(LAYER.body[offset:]))
    assert await artifacts.get_blob(store, LAYER.descriptor) == LAYER.body


async def test_a_manifest_whose_digest_lies_is_refused(store: ContentStore) -> None:
    await artifacts.put_image(store, IMAGE)
    forged = RawManifest(
        media_type=IMAGE.manifest.media_type,
        digest=OTHER.manifest.digest,
        body=IMAGE.manifest.body,
    )
    with pytest.raises((ContentError, RegistryError)):
        await store.write_manifest(forged)
    with pytest.raises(NotFound):
        await store.resolve(str(OTHER.manifest.digest))


async def test_what_is_not_there_is_not_found(store: ContentStore) -> None:
    absent = artifacts.blob(b"never written")
    for name in ("nope", str(absent.descriptor.digest)):
        with pytest.raises(NotFound):
            await store.resolve(name)
        with pytest.raises(NotFound):
            await store.read_manifest(name)
    assert not await store.has_blob(absent.descriptor)
    with pytest.raises(NotFound):
        await artifacts.get_blob(store, absent.descriptor)


async def test_a_repository_that_is_not_there_has_no_tags(place: Place) -> None:
    assert await artifacts.all_tags(place.open("mirror/nowhere")) == []


async def test_deleting_a_tag_is_done_or_refused(store: ContentStore) -> None:
    await artifacts.put_image(store, IMAGE, tag="1")
    await store.write_manifest(IMAGE.manifest, tag="2")
    try:
        await store.delete_tag("1")
    except Unsupported:
        assert await artifacts.all_tags(store) == ["1", "2"]
        return
    assert await artifacts.all_tags(store) == ["2"]
    assert await store.read_manifest(str(IMAGE.manifest.digest)) == IMAGE.manifest
    with pytest.raises(NotFound):
        await store.delete_tag("1")


async def test_deleting_a_manifest_takes_its_tags_or_is_refused(store: ContentStore) -> None:
    await artifacts.put_image(store, IMAGE, tag="1")
    await artifacts.put_image(store, OTHER, tag="2")
    if not store.capabilities.deletes_manifests:
        with pytest.raises(Unsupported):
            await store.delete_manifest(IMAGE.manifest.digest)
        return
    await store.delete_manifest(IMAGE.manifest.digest)
    assert await artifacts.all_tags(store) == ["2"]
    with pytest.raises(NotFound):
        await store.read_manifest(str(IMAGE.manifest.digest))
    with pytest.raises(NotFound):
        await store.delete_manifest(IMAGE.manifest.digest)


class _SourceBroke(Exception):
    """The test's own source failing."""


async def _broken(body: bytes) -> AsyncIterator[bytes]:
    yield body
    raise _SourceBroke
