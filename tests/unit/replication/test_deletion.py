"""What was deleted at the source goes at the destination, and nothing else does."""

from __future__ import annotations

import pytest

from protocol.errors import NotFound, Unsupported
from replication import deletion
from replication.deletion import Deletion, Fate
from replication.errors import CopyFailed, Side
from tests.fakes.copying import Rig
from tests.fakes.stores import refusal


class DeletionRig(Rig):
    """Counts how often it was asked whether a write may go."""

    confirmed = 0

    async def delete(self, one: Deletion) -> Fate:
        async def confirm() -> None:
            self.confirmed += 1

        return await deletion.delete(
            one,
            self.source.store("app"),
            self.destination.store("mirror/app"),
            before_commit=confirm,
        )


@pytest.fixture
def rig() -> DeletionRig:
    return DeletionRig()


def of(rig: Rig, tag: str | None) -> Deletion:
    """The deletion of what the destination has under 1.0."""
    image = rig.there.find("1.0")
    assert image is not None
    return Deletion(
        source_repository="app",
        destination_repository="mirror/app",
        digest=image.digest,
        tag=tag,
    )


async def test_a_tag_goes_and_its_artifact_stays(rig: DeletionRig) -> None:
    image = rig.there.put_image("1.0")
    assert await rig.delete(of(rig, "1.0")) is Fate.DELETED
    assert rig.there.tags == {}
    assert str(image.digest) in rig.there.manifests
    assert rig.confirmed == 1


async def test_an_artifact_goes_with_its_tags(rig: DeletionRig) -> None:
    rig.there.put_image("1.0")
    assert await rig.delete(of(rig, None)) is Fate.DELETED
    assert (rig.there.tags, rig.there.manifests) == ({}, {})


@pytest.mark.parametrize("tag", ["1.0", None])
async def test_what_is_gone_already_is_no_failure(rig: DeletionRig, tag: str | None) -> None:
    rig.there.put_image("1.0")
    gone = of(rig, tag)
    await rig.delete(gone)
    assert await rig.delete(gone) is Fate.GONE
    assert rig.confirmed == 1


@pytest.mark.parametrize("tag", ["1.0", None])
async def test_what_is_at_the_source_again_stays(rig: DeletionRig, tag: str | None) -> None:
    rig.there.put_image("1.0")
    rig.here.put_image("1.0")
    assert await rig.delete(of(rig, tag)) is Fate.BACK
    assert set(rig.there.tags) == {"1.0"}
    assert rig.confirmed == 0


async def test_a_tag_that_says_something_else_at_the_destination_stays(rig: DeletionRig) -> None:
    rig.there.put_image("1.0", layers=(b"what was copied",))
    gone = of(rig, "1.0")
    other = rig.there.put_image("1.0", layers=(b"what somebody put there",))
    assert await rig.delete(gone) is Fate.OTHER
    assert rig.there.tags == {"1.0": str(other.digest)}


async def test_what_somebody_else_deletes_at_the_same_time_is_gone(rig: DeletionRig) -> None:
    rig.there.put_image("1.0")
    rig.destination.faults["delete_tag"] = [refusal(NotFound, 404, "MANIFEST_UNKNOWN")]
    assert await rig.delete(of(rig, "1.0")) is Fate.GONE


async def test_a_destination_that_deletes_no_tags_is_named(rig: DeletionRig) -> None:
    rig.there.put_image("1.0")
    rig.destination.faults["delete_tag"] = [
        refusal(Unsupported, 405, "UNSUPPORTED", "tags are not deleted here")
    ]
    with pytest.raises(CopyFailed) as raised:
        await rig.delete(of(rig, "1.0"))
    assert raised.value.side is Side.DESTINATION
    assert raised.value.operation == "deleting"


def test_a_deletion_is_read_as_it_was_written(rig: DeletionRig) -> None:
    rig.there.put_image("1.0")
    for tag in ("1.0", None):
        assert Deletion.from_json(of(rig, tag).to_json()) == of(rig, tag)
