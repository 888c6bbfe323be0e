from __future__ import annotations

import json

import pytest

from protocol import media_types
from protocol.client.repository import RemoteRepository
from protocol.content import MANIFEST_LIMIT_BYTES, RawManifest
from protocol.digest import Algorithm, Digest
from protocol.errors import (
    Denied,
    DigestMismatch,
    InvalidManifest,
    ManifestTooLarge,
    NotFound,
    Rejected,
    SizeMismatch,
    Unsupported,
)
from tests.fakes.registry.faults import Fault
from tests.fakes.registry.server import FakeRegistry


async def test_a_tag_is_resolved_by_one_head(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    image = registry.repository("a/b").put_image("1.0")
    assert await repository.resolve("1.0") == image.descriptor
    assert registry.requests.by_kind() == {("HEAD", "manifest"): 1}


async def test_a_manifest_is_read_byte_by_byte_by_tag_and_digest(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    image = registry.repository("a/b").put_image("1.0")
    assert await repository.read_manifest("1.0") == image
    assert await repository.read_manifest(str(image.digest)) == image


async def test_all_four_media_types_are_accepted(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    for media_type in media_types.ACCEPTED:
        body = json.dumps({"schemaVersion": 2, "mediaType": media_type}).encode()
        manifest = registry.repository("a/b").put_manifest(body, media_type, tag="t")
        assert await repository.read_manifest("t") == manifest


async def test_parameters_of_the_content_type_are_ignored(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    registry.habits.content_type_suffix = "; charset=utf-8"
    image = registry.repository("a/b").put_image("1.0")
    assert await repository.resolve("1.0") == image.descriptor
    assert await repository.read_manifest("1.0") == image


async def test_a_manifest_without_a_media_type_keeps_the_one_it_came_with(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    body = b'{"schemaVersion": 2}'
    registry.repository("a/b").put_manifest(body, media_types.DOCKER_MANIFEST, tag="t")
    assert (await repository.read_manifest("t")).media_type == media_types.DOCKER_MANIFEST


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"schemaVersion": 2, "manifests": []}', media_types.OCI_INDEX),
        (b'{"schemaVersion": 2, "config": {}}', media_types.OCI_MANIFEST),
        (
            b'{"mediaType": "application/vnd.docker.distribution.manifest.v2+json"}',
            media_types.DOCKER_MANIFEST,
        ),
    ],
)
async def test_a_content_type_that_says_nothing_is_made_up_for(
    registry: FakeRegistry, repository: RemoteRepository, body: bytes, expected: str
) -> None:
    registry.repository("a/b").put_manifest(body, media_types.OCI_MANIFEST, tag="t")
    plain = {"Content-Type": "application/octet-stream"}
    registry.faults.add(Fault(method="GET", kind="manifest", headers=plain))
    assert (await repository.read_manifest("t")).media_type == expected


async def test_a_head_without_a_digest_falls_back_to_get(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    registry.habits.digest_headers = False
    image = registry.repository("a/b").put_image("1.0")
    assert await repository.resolve("1.0") == image.descriptor
    assert registry.requests.by_kind() == {("HEAD", "manifest"): 1, ("GET", "manifest"): 1}


@pytest.mark.parametrize("status", [400, 403, 405, 501])
async def test_a_registry_that_cannot_head_is_asked_with_get(
    registry: FakeRegistry, repository: RemoteRepository, status: int
) -> None:
    registry.faults.answer("HEAD", "manifest", status)
    image = registry.repository("a/b").put_image("1.0")
    assert await repository.resolve("1.0") == image.descriptor


async def test_what_is_missing_is_not_found_with_the_registrys_words(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    registry.repository("a/b").put_image("1.0")
    with pytest.raises(NotFound):
        await repository.resolve("2.0")
    with pytest.raises(NotFound, match="404 MANIFEST_UNKNOWN: manifest unknown") as caught:
        await repository.read_manifest("2.0")
    assert caught.value.faults[0].code == "MANIFEST_UNKNOWN"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>no</html>", b'{"errors": null}', b'{"errors": ["x"]}', b"[1]", b'{"errors": 5}'],
)
async def test_error_bodies_of_any_kind_are_errors(
    registry: FakeRegistry, repository: RemoteRepository, body: bytes
) -> None:
    registry.faults.add(Fault(method="GET", kind="manifest", status=403, body=body))
    with pytest.raises(Denied, match="403"):
        await repository.read_manifest("1.0")


async def test_a_sign_in_page_is_no_manifest(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    registry.habits.html_everywhere = True
    with pytest.raises(Rejected, match="is this a registry"):
        await repository.read_manifest("1.0")
    with pytest.raises(Rejected, match="is this a registry"):
        await repository.resolve("1.0")


async def test_a_manifest_that_is_not_what_its_digest_says_is_refused(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    image = registry.repository("a/b").put_image("1.0")
    registry.faults.add(Fault(method="GET", kind="manifest", flip_bit_at=3, times=2))
    for reference in ("1.0", str(image.digest)):
        with pytest.raises(DigestMismatch):
            await repository.read_manifest(reference)


async def test_a_digest_header_that_lies_is_refused(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    image = registry.repository("a/b").put_image("1.0")
    registry.habits.lying_digest_header = str(Digest.of(b"something else"))
    for reference in ("1.0", str(image.digest)):
        with pytest.raises(DigestMismatch):
            await repository.read_manifest(reference)
    with pytest.raises(DigestMismatch):
        await repository.resolve(str(image.digest))


async def test_sha512_is_verified_with_sha512(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    image = registry.repository("a/b").put_image(None, algorithm=Algorithm.SHA512)
    assert await repository.read_manifest(str(image.digest)) == image
    registry.habits.lying_digest_header = str(Digest.of(image.body))
    assert await repository.read_manifest(str(image.digest)) == image


async def test_a_manifest_over_the_cap_is_not_read_into_memory(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    body = b" " * MANIFEST_LIMIT_BYTES + b"{}"
    registry.repository("a/b").put_manifest(body, media_types.OCI_MANIFEST, tag="t")
    with pytest.raises(ManifestTooLarge):
        await repository.read_manifest("t")


async def test_a_cut_manifest_is_read_again(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    image = registry.repository("a/b").put_image("1.0")
    registry.faults.cut("GET", "manifest", after_bytes=10)
    assert await repository.read_manifest("1.0") == image


async def test_a_body_shorter_than_announced_never_passes(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    image = registry.repository("a/b").put_image("1.0")
    registry.faults.add(Fault(method="GET", kind="manifest", replace_body=image.body[:-1]))
    with pytest.raises((DigestMismatch, SizeMismatch)):
        await repository.read_manifest("1.0")


async def test_schema_1_is_refused_with_a_way_out(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    body = b'{"schemaVersion": 1, "name": "a/b"}'
    registry.repository("a/b").put_manifest(body, media_types.OCI_MANIFEST, tag="old")
    signed = {"Content-Type": media_types.DOCKER_SCHEMA1_SIGNED}
    registry.faults.add(Fault(method="GET", kind="manifest", headers=signed))
    with pytest.raises(InvalidManifest, match="schema 1"):
        await repository.read_manifest("old")


async def test_a_manifest_arrives_unchanged_under_digest_and_tag(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    source = registry.repository("source").put_index(extra={"custom": {"b": 1, "a": 2}})
    await repository.write_manifest(source)
    await repository.write_manifest(source, tag="1.0")
    held = registry.repository("a/b")
    assert held.manifests == {str(source.digest): source}
    assert held.tags == {"1.0": str(source.digest)}


async def test_a_manifest_of_4_mib_is_written(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    body = b'{"schemaVersion": 2, "manifests": []}'.ljust(4 * 1024 * 1024)
    large = RawManifest(media_type=media_types.OCI_INDEX, digest=Digest.of(body), body=body)
    await repository.write_manifest(large, tag="large")
    assert registry.repository("a/b").find("large") == large


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_manifest_put_is_repeated(
    registry: FakeRegistry, repository: RemoteRepository, status: int
) -> None:
    index = registry.repository("source").put_index()
    registry.faults.answer("PUT", "manifest", status)
    await repository.write_manifest(index, tag="1.0")
    assert registry.repository("a/b").find("1.0") == index


async def test_a_manifest_with_missing_children_is_rejected_with_the_registrys_code(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    image = registry.repository("source").put_image()
    with pytest.raises(Rejected) as caught:
        await repository.write_manifest(image)
    assert caught.value.faults[0].code == "MANIFEST_BLOB_UNKNOWN"


async def test_a_registry_that_stored_something_else_is_caught(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    index = registry.repository("source").put_index()
    registry.habits.lying_digest_header = str(Digest.of(b"other"))
    with pytest.raises(DigestMismatch):
        await repository.write_manifest(index, tag="1.0")


async def test_manifests_and_tags_are_deleted_each_by_itself(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    held = registry.repository("a/b")
    image = held.put_image("1.0")
    held.tags["latest"] = str(image.digest)
    await repository.delete_tag("latest")
    assert held.tags == {"1.0": str(image.digest)}
    await repository.delete_manifest(image.digest)
    assert held.tags == {}
    with pytest.raises(NotFound):
        await repository.delete_manifest(image.digest)


async def test_a_registry_without_tag_deletion_is_unsupported_whatever_it_says(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    registry.repository("a/b").put_image("1.0")
    registry.habits.deletes_tags = False
    with pytest.raises(Unsupported):
        await repository.delete_tag("1.0")
    said = b'{"errors":[{"code":"DIGEST_INVALID","message":"bad digest"}]}'
    registry.faults.add(Fault(method="DELETE", kind="manifest", status=400, body=said))
    with pytest.raises(Unsupported, match="whole manifests only"):
        await repository.delete_tag("1.0")


async def test_warnings_of_the_registry_are_kept_once(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    registry.repository("a/b").put_image("1.0")
    registry.habits.warning = "this tag will go away"
    await repository.resolve("1.0")
    await repository.resolve("1.0")
    assert repository.warnings == ('299 - "this tag will go away"',)
