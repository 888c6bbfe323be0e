from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from protocol import media_types
from protocol.descriptor import Descriptor
from protocol.digest import Algorithm, Digest
from protocol.errors import Denied, Rejected
from protocol.platform import Platform
from replication.context import CopyContext
from replication.copy import copy_transfer
from replication.errors import CopyFailed
from replication.transfer import Outcome, Transfer, TransferReport
from tests.fakes.copying import Rig, platform_index
from tests.fakes.registry.content import as_json
from tests.fakes.stores import MemoryRegistry, MemoryStore, refusal


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_an_image_arrives_with_its_blobs_and_tag(rig: Rig) -> None:
    root = rig.here.put_image("v1", layers=(b"one", b"two", b"one"))
    report = await rig.copy(root, "v1")
    rig.assert_same(root)
    assert rig.there.blobs == rig.here.blobs
    assert rig.there.tags == {"v1": str(root.digest)}
    assert report.outcome is Outcome.COPIED
    assert (report.blobs_copied, report.bytes_copied) == (3, 8)
    assert (report.manifests_copied, report.tags_written) == (1, 1)


async def test_without_tags_the_artifact_goes_under_its_digest(rig: Rig) -> None:
    root = rig.here.put_image()
    await rig.copy(root)
    rig.assert_same(root)
    assert rig.there.tags == {}


async def test_an_index_arrives_children_first(rig: Rig) -> None:
    root = platform_index(rig.here, "v1")
    await rig.copy(root, "v1")
    rig.assert_same(*rig.here.manifests.values())
    assert rig.destination.written[-1] == "v1"
    assert len(rig.destination.written) == 3


async def test_an_index_of_two_platforms_stays_in_the_budget(rig: Rig) -> None:
    root = platform_index(rig.here, "v1")
    await rig.copy(root, "v1", companions=True)
    rig.assert_same(root)
    here, there = rig.source.requests, rig.destination.requests
    assert here["resolve"] + here["read manifest"] + here["read blob"] == 3 + 11
    assert here["referrers"] + here["tags"] == 3 + 1
    written = there["begin blob"] + there["send blob"] + there["write manifest"]
    assert there["resolve"] + written == 11 + 11 + 3


async def test_every_shape_of_artifact_arrives(rig: Rig) -> None:
    here = rig.here
    empty_index = here.put_index("empty-index")
    no_layers = here.put_image("no-layers", layers=())
    artifact = here.put_artifact("artifact", payload=b"")
    sha512 = here.put_image("sha512", layers=(b"long",), algorithm=Algorithm.SHA512)
    chart = here.put_image(
        "chart",
        layers=(b"chart",),
        extra={"config": as_json(here.put_blob(b"{}", media_type=media_types.HELM_CONFIG))},
    )
    nested = here.put_index(
        "nested", children=[empty_index.descriptor, platform_index(here).descriptor]
    )
    untyped = here.put_image("untyped", extra={"mediaType": None, "custom": {"kept": [1, 2.50]}})
    for root in (empty_index, no_layers, artifact, sha512, chart, nested, untyped):
        await rig.copy(root, "t" + root.digest.encoded[:8])
    rig.assert_same(*here.manifests.values())
    assert rig.there.blobs == here.blobs


async def test_index_entries_that_are_blobs_are_copied_as_blobs(rig: Rig) -> None:
    cache = rig.here.put_blob(b"cache")
    odd = rig.here.put_blob(b"odd", media_type="application/x-odd")
    unusual = replace(rig.here.put_image().descriptor, media_type="application/x-unusual")
    root = rig.here.put_index(children=[cache, odd, unusual])
    await rig.copy(root, "v1")
    rig.assert_same(root)
    assert {str(cache.digest), str(odd.digest)} <= rig.there.blobs.keys()
    assert str(unusual.digest) in rig.there.manifests


async def test_attestations_without_a_platform_are_copied_like_any_entry(rig: Rig) -> None:
    image = rig.here.put_image()
    statement = rig.here.put_image(layers=(b"in-toto",))
    attestation = replace(
        statement.descriptor,
        platform=Platform(os="unknown", architecture="unknown"),
        annotations={
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": str(image.digest),
        },
    )
    root = rig.here.put_index(children=[image.descriptor, attestation])
    await rig.copy(root, "v1")
    rig.assert_same(image, statement, root)
    assert rig.there.blobs == rig.here.blobs


async def test_content_given_inline_is_a_blob_at_the_destination_too(rig: Rig) -> None:
    config = rig.here.put_blob(b"{}", media_type=media_types.OCI_EMPTY)
    root = rig.here.put_image(extra={"config": {**as_json(config), "data": "e30="}})
    await rig.copy(root, "v1")
    rig.assert_same(root)
    assert rig.there.blobs[str(config.digest)] == b"{}"


async def test_a_subject_that_is_nowhere_is_not_looked_for(rig: Rig) -> None:
    subject = Descriptor(
        media_type=media_types.OCI_MANIFEST, digest=Digest.of(b"nowhere"), size_bytes=7
    )
    root = rig.here.put_artifact(subject=subject)
    await rig.copy(root, "v1")
    rig.assert_same(root)


async def test_foreign_layers_stay_where_they_are_and_are_told(rig: Rig) -> None:
    foreign = Descriptor(
        media_type="application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        digest=Digest.of(b"far away"),
        size_bytes=8,
        urls=("https://elsewhere.invalid/layer",),
    )
    root = rig.here.put_image(extra={"layers": [as_json(foreign)]})
    report = await rig.copy(root, "v1")
    rig.assert_same(root)
    assert str(foreign.digest) in report.omitted[0]


async def test_referrers_of_every_node_go_with_their_subject(rig: Rig) -> None:
    root = platform_index(rig.here, "v1")
    child = next(one for one in rig.here.manifests.values() if one.media_type != root.media_type)
    signature = rig.here.put_artifact(subject=root.descriptor)
    of_child = rig.here.put_artifact(subject=child.descriptor, payload=b"child")
    of_signature = rig.here.put_artifact(subject=signature.descriptor, payload=b"counter")
    report = await rig.copy(root, "v1")
    rig.assert_same(signature, of_child, of_signature)
    assert report.referrers_copied == 3
    assert rig.destination.written.index("v1") == len(rig.destination.written) - 1


async def test_referrers_stay_behind_when_they_are_not_wanted(rig: Rig) -> None:
    root = rig.here.put_image("v1")
    rig.here.put_artifact(subject=root.descriptor)
    rig.context = replace(rig.context, referrers=False)
    await rig.copy(root, "v1", companions=True)
    assert len(rig.there.manifests) == 1
    assert rig.source.requests["referrers"] == 0


async def test_cosigns_tags_go_with_their_subject(rig: Rig) -> None:
    root = rig.here.put_image("v1")
    name = f"sha256-{root.digest.encoded}.sig"
    signature = rig.here.put_artifact(name)
    second = f"sha256-{signature.digest.encoded}.att"
    attestation = rig.here.put_artifact(second, payload=b"attestation")
    rig.here.put_artifact(f"sha256-{Digest.of(b'other').encoded}.sig", payload=b"other")
    report = await rig.copy(root, "v1", companions=True)
    rig.assert_same(signature, attestation)
    assert set(rig.there.tags) == {"v1", name, second}
    assert report.referrers_copied == 2
    again = await rig.copy(root, "v1", companions=True, fresh=False)
    assert again.outcome is Outcome.UP_TO_DATE
    assert rig.source.requests["tags"] == 1


async def test_a_source_that_lists_no_tags_is_told_and_harms_nothing(rig: Rig) -> None:
    root = rig.here.put_image("v1")
    rig.source.faults["tags"] = [refusal(Denied, 403, "DENIED")]
    report = await rig.copy(root, "v1", companions=True)
    rig.assert_same(root)
    assert "lists none" in report.omitted[0]


async def test_a_signature_added_later_follows(rig: Rig) -> None:
    root = platform_index(rig.here, "v1")
    await rig.copy(root, "v1")
    child = next(one for one in rig.here.manifests.values() if one.media_type != root.media_type)
    added = [rig.here.put_artifact(subject=one.descriptor) for one in (root, child)]
    report = await rig.copy(root, "v1", fresh=False)
    rig.assert_same(*added)
    assert report.referrers_copied == 2
    assert report.tags_written == 0


async def test_a_listed_referrer_that_refers_to_nothing_is_left_out(rig: Rig) -> None:
    root = rig.here.put_image("v1")
    stranger = rig.here.put_artifact()
    rig.source.false_referrers = [stranger.descriptor]
    report = await rig.copy(root, "v1")
    assert str(stranger.digest) not in rig.there.manifests
    assert "does not refer to it" in report.omitted[0]


async def test_a_referrer_that_the_destination_refuses_does_not_fail_the_image(rig: Rig) -> None:
    root = rig.here.put_image("v1")
    signature = rig.here.put_artifact(subject=root.descriptor)
    refused = refusal(Rejected, 400, "MANIFEST_INVALID", "subjects are not supported")
    rig.destination.faults["write manifest"] = [None, refused]
    report = await rig.copy(root, "v1")
    rig.assert_same(root)
    assert str(signature.digest) not in rig.there.manifests
    assert "subjects are not supported" in report.omitted[0]


async def test_what_is_there_costs_no_bytes_and_few_requests(rig: Rig) -> None:
    root = platform_index(rig.here, "v1")
    await rig.copy(root, "v1")
    rig.source.requests.clear()
    rig.destination.requests.clear()
    rig.context = CopyContext(referrers=False)
    report = await rig.copy(root, "v1", fresh=False)
    assert report.outcome is Outcome.UP_TO_DATE
    # one more resolves the tag at the source, which is the plan's
    assert rig.source.requests.total() + rig.destination.requests.total() == 1


async def test_a_second_tag_of_a_known_artifact_is_one_put(rig: Rig) -> None:
    root = platform_index(rig.here, "v1")
    await rig.copy(root, "v1")
    rig.source.requests.clear()
    report = await rig.copy(root, "v2", fresh=False)
    assert rig.there.tags["v2"] == str(root.digest)
    assert rig.source.requests["read blob"] == 0
    assert (report.tags_written, report.manifests_copied) == (1, 0)


async def test_force_writes_everything_again(rig: Rig) -> None:
    root = platform_index(rig.here, "v1")
    await rig.copy(root, "v1")
    rig.context = CopyContext(force=True)
    report = await rig.copy(root, "v1", fresh=False)
    assert report.manifests_copied == 3
    assert report.blobs_skipped == 12


async def test_a_blob_already_there_is_not_pulled(rig: Rig) -> None:
    root = rig.here.put_image("v1", layers=(b"one", b"two"))
    rig.there.put_blob(b"one")
    report = await rig.copy(root, "v1")
    assert (report.blobs_skipped, report.bytes_saved) == (1, 3)
    assert rig.source.requests["read blob"] == 2


async def test_a_destination_without_mounts_is_asked_first(rig: Rig) -> None:
    root = rig.here.put_image("v1", layers=(b"one", b"two"))
    rig.there.put_blob(b"one")
    rig.destination.mounts = rig.destination.mounts_across = False
    report = await rig.copy(root, "v1")
    rig.assert_same(root)
    assert report.blobs_skipped == 1
    assert rig.destination.requests["has blob"] == 3


async def test_a_shared_layer_is_fetched_once_for_all_repositories() -> None:
    source, destination = MemoryRegistry(), MemoryRegistry()
    context = CopyContext()
    base = [b"base 1", b"base 2", b"base 3"]

    async def one(number: int) -> TransferReport:
        name = f"app{number}"
        own = [f"{name} {layer}".encode() for layer in range(2)]
        root = source.repository(name).put_image("v1", layers=(*base, *own), config=name.encode())
        transfer = Transfer(
            source_repository=name,
            destination_repository=f"mirror/{name}",
            digest=root.digest,
            tags=("v1",),
            fresh=True,
            companions=(),
        )
        return await copy_transfer(
            transfer,
            source=source.store(name),
            destination=destination.store(f"mirror/{name}"),
            context=context,
        )

    async with asyncio.TaskGroup() as group:
        copies = [group.create_task(one(number)) for number in range(6)]
    assert source.requests["read blob"] == 21
    assert sum(copy.result().blobs_mounted for copy in copies) == 15
    assert len(destination.repositories) == 6


async def test_a_mount_that_fails_is_an_upload(rig: Rig) -> None:
    root = rig.here.put_image("v1", layers=(b"one",))
    rig.context.memory.remember("elsewhere", Digest.of(b"one"))
    rig.destination.faults["begin blob"] = [
        refusal(Denied, 403, "DENIED"),
        refusal(Denied, 403, "DENIED"),
    ]
    with pytest.raises(CopyFailed) as caught:
        await rig.copy(root, "v1")
    assert isinstance(caught.value.cause, Denied)
    rig.context.memory.remember("elsewhere", Digest.of(b"{}"))
    rig.context.memory.remember("elsewhere", Digest.of(b"one"))
    rig.destination.faults["begin blob"] = [refusal(Denied, 403, "DENIED")]
    await rig.copy(root, "v1")
    rig.assert_same(root)


async def test_a_wrong_memory_is_healed_when_the_destination_says_so(rig: Rig) -> None:
    root = rig.here.put_index("v1", children=[rig.here.put_image(layers=(b"one",)).descriptor])
    for content in (b"one", b"{}"):
        rig.context.memory.remember("mirror/app", Digest.of(content))
    report = await rig.copy(root, "v1")
    rig.assert_same(*rig.here.manifests.values())
    assert report.blobs_copied == 2


async def test_a_child_lost_at_the_destination_is_pushed_again(rig: Rig) -> None:
    image = rig.here.put_image(layers=(b"one",))
    root = rig.here.put_index("v1", children=[image.descriptor])
    await rig.copy(root, "v1")
    del rig.there.manifests[str(image.digest)]
    await rig.copy(root, "v2", fresh=False)
    rig.assert_same(image, root)
    assert rig.there.tags["v2"] == str(root.digest)


class _Foretelling(MemoryStore):
    """A store that knows of some tags that it refuses to move."""

    kept: tuple[str, ...] = ("v1",)

    async def want_tags(self, digest: Digest, wanted: Sequence[str]) -> None:
        if kept := [tag for tag in wanted if tag in self.kept]:
            raise refusal(Denied, 412, "DENIED", f"{kept} stays, and not for {digest}")


@pytest.mark.parametrize("fresh", [True, False])
async def test_what_a_store_knows_it_will_refuse_is_not_moved(rig: Rig, *, fresh: bool) -> None:
    root = rig.here.put_image("v1", layers=(b"one",))
    transfer = Transfer(
        source_repository="app",
        destination_repository="mirror/app",
        digest=root.digest,
        tags=("v1", "v2"),
        fresh=fresh,
    )
    store = _Foretelling(rig.destination, "mirror/app")
    with pytest.raises(CopyFailed, match=r"writing manifest mirror/app:v1,v2 .*'v1'\] stays"):
        await copy_transfer(
            transfer, source=rig.source.store("app"), destination=store, context=rig.context
        )
    assert (rig.source.requests["read blob"], rig.destination.written) == (0, [])
    await copy_transfer(
        replace(transfer, tags=("v2",)),
        source=rig.source.store("app"),
        destination=store,
        context=rig.context,
    )
    assert rig.there.tags == {"v2": str(root.digest)}
