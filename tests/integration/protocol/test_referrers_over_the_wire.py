from __future__ import annotations

import asyncio
import json

import pytest

from protocol import referrers as schema
from protocol.client.registry import RegistryClient
from protocol.client.repository import RemoteRepository
from protocol.content import RawManifest
from protocol.digest import Digest
from protocol.errors import InvalidManifest
from tests.fakes.registry.faults import Fault
from tests.fakes.registry.server import FakeRegistry, wait_until

ABSENT = Digest.of(b"not there")


async def listed(
    repository: RemoteRepository, subject: Digest, artifact_type: str | None = None
) -> list[Digest]:
    found = repository.referrers(subject, artifact_type=artifact_type)
    return [each.digest async for each in found]


def signed(registry: FakeRegistry, count: int = 1) -> tuple[RawManifest, list[RawManifest]]:
    held = registry.repository("a/b")
    image = held.put_image("1.0")
    return image, [
        held.put_artifact(subject=image.descriptor, payload=bytes([number]))
        for number in range(count)
    ]


def prepared(registry: FakeRegistry) -> tuple[RawManifest, RawManifest, RawManifest]:
    """An image and two signatures of it whose blobs `a/b` holds, and which it does not."""
    source = registry.repository("source")
    image = source.put_image()
    one = source.put_artifact(subject=image.descriptor, payload=b"1", annotations={"k": "v"})
    two = source.put_artifact(subject=image.descriptor, payload=b"2")
    registry.repository("a/b").blobs.update(source.blobs)
    return image, one, two


async def test_the_api_lists_them_with_type_and_annotations(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    held = registry.repository("a/b")
    image = held.put_image("1.0")
    held.put_artifact(subject=image.descriptor, annotations={"k": "v"})
    (found,) = [each async for each in repository.referrers(image.digest)]
    assert found.artifact_type == "application/vnd.example.signature"
    assert dict(found.annotations) == {"k": "v"}


async def test_pages_of_referrers_are_followed(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    image, signatures = signed(registry, 5)
    registry.habits.page_size = 2
    found = await listed(repository, image.digest)
    assert sorted(found) == sorted(each.digest for each in signatures)


@pytest.mark.parametrize("filters", [True, False])
async def test_the_type_is_filtered_here_whether_or_not_the_registry_does(
    registry: FakeRegistry, repository: RemoteRepository, *, filters: bool
) -> None:
    image, _ = signed(registry)
    sbom = registry.repository("a/b").put_artifact(
        subject=image.descriptor, artifact_type="application/spdx+json"
    )
    registry.habits.filters_referrers = filters
    assert await listed(repository, image.digest, "application/spdx+json") == [sbom.digest]


@pytest.mark.parametrize("status", [400, 404, 405, 501])
async def test_without_the_api_the_fallback_tag_is_read_and_the_api_not_asked_again(
    registry: FakeRegistry, repository: RemoteRepository, status: int
) -> None:
    image, (signature,) = signed(registry)
    registry.habits.referrers_api, registry.habits.referrers_status = False, status
    fallback = schema.render([schema.entry(signature)])
    registry.repository("a/b").put_manifest(
        fallback.body, fallback.media_type, tag=schema.fallback_tag(image.digest)
    )
    assert await listed(repository, image.digest) == [signature.digest]
    assert await listed(repository, ABSENT) == []
    assert registry.requests.count("GET", "referrers") == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_api_is_read_around_and_not_remembered(
    registry: FakeRegistry, repository: RemoteRepository, status: int
) -> None:
    image, _ = signed(registry)
    registry.faults.answer("GET", "referrers", status)
    assert await listed(repository, image.digest) == []
    assert len(await listed(repository, image.digest)) == 1


async def test_a_web_page_or_other_json_is_no_referrers_api(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    signed(registry)
    plain = {"Content-Type": "text/plain"}
    registry.faults.add(
        Fault(method="GET", kind="referrers", status=200, headers=plain, body=b"hello")
    )
    assert await listed(repository, ABSENT) == []
    assert await listed(repository, ABSENT) == []
    assert registry.requests.count("GET", "referrers") == 1


async def test_both_ways_are_read_where_both_are_used_and_each_is_told_once(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    image, (by_api,) = signed(registry)
    held = registry.repository("a/b")
    old = held.put_artifact(payload=b"old, its subject only in the tag")
    fallback = schema.render([schema.entry(old), schema.entry(by_api)])
    held.put_manifest(fallback.body, fallback.media_type, tag=schema.fallback_tag(image.digest))
    for _ in range(2):
        assert sorted(await listed(repository, image.digest)) == sorted([by_api.digest, old.digest])


async def test_an_api_that_stands_costs_one_request_after_the_first_probe(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    image, _ = signed(registry)
    await listed(repository, image.digest)
    registry.requests.clear()
    await listed(repository, image.digest)
    assert registry.requests.by_kind() == {("GET", "referrers"): 1}


async def test_a_listing_without_fallback_tags_saves_the_probe(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    image, _ = signed(registry)
    assert [page async for page in repository.tags()]
    registry.requests.clear()
    await listed(repository, image.digest)
    assert registry.requests.by_kind() == {("GET", "referrers"): 1}


async def test_a_registry_that_knows_subjects_needs_no_tag(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    _, one, _ = prepared(registry)
    await repository.write_manifest(one)
    assert registry.repository("a/b").tags == {}
    assert registry.requests.count() == 1


async def test_the_fallback_index_lists_each_referrer_once_with_its_annotations(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    registry.habits.referrers_api = False
    image, one, two = prepared(registry)
    for manifest in (one, two, one):
        await repository.write_manifest(manifest)
    index = registry.repository("a/b").find(schema.fallback_tag(image.digest))
    assert index is not None
    entries = json.loads(index.body)["manifests"]
    assert [entry["digest"] for entry in entries] == [str(one.digest), str(two.digest)]
    assert entries[0]["annotations"] == {"k": "v"}
    assert entries[0]["artifactType"] == "application/vnd.example.signature"


async def test_writers_in_one_process_do_not_lose_each_others_entries(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.habits.referrers_api = False
    source = registry.repository("source")
    image = source.put_image()
    signatures = [
        source.put_artifact(subject=image.descriptor, payload=bytes([n])) for n in range(8)
    ]
    registry.repository("a/b").blobs.update(source.blobs)
    async with asyncio.TaskGroup() as group:
        for signature in signatures:
            group.create_task(client.repository("a/b").write_manifest(signature))
    found = await listed(client.repository("a/b"), image.digest)
    assert sorted(found) == sorted(each.digest for each in signatures)


async def test_a_writer_elsewhere_is_noticed_by_the_etag_and_merged(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    registry.habits.referrers_api = False
    registry.habits.conditional_writes = True
    image, one, two = prepared(registry)
    await repository.write_manifest(one)
    tag = schema.fallback_tag(image.digest)
    stale = registry.repository("a/b").find(tag)
    assert stale is not None
    other = schema.merge(stale, schema.entry(two))
    third = registry.repository("source").put_artifact(subject=image.descriptor, payload=b"3")
    registry.repository("a/b").blobs.update(registry.repository("source").blobs)
    held_back = asyncio.Event()
    fault = registry.faults.add(Fault(method="PUT", kind="manifest", hold=held_back, skip=1))
    async with asyncio.TaskGroup() as group:
        group.create_task(repository.write_manifest(third))
        await wait_until(fault.reached)
        registry.repository("a/b").manifests[str(two.digest)] = two
        registry.repository("a/b").put_manifest(other.body, other.media_type, tag=tag)
        held_back.set()
    found = await listed(repository, image.digest)
    assert sorted(found) == sorted([one.digest, two.digest, third.digest])


async def test_a_deleted_referrer_leaves_the_fallback_index(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    registry.habits.referrers_api = False
    image, one, two = prepared(registry)
    for manifest in (one, two):
        await repository.write_manifest(manifest)
    await repository.delete_manifest(one.digest)
    assert await listed(repository, image.digest) == [two.digest]


async def test_a_tag_that_holds_something_else_stops_and_says_so(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    registry.habits.referrers_api = False
    image, one, _ = prepared(registry)
    registry.repository("a/b").put_image(schema.fallback_tag(image.digest))
    with pytest.raises(InvalidManifest, match="not an index"):
        await repository.write_manifest(one)


async def test_a_subject_that_is_nowhere_is_no_hindrance(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    _, one, _ = prepared(registry)
    await repository.write_manifest(one)
    assert str(one.digest) in registry.repository("a/b").manifests
