import pytest

from protocol import media_types
from protocol.content import RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.platform import Platform

DIGEST = Digest.of(b"")


@pytest.mark.parametrize("media_type", sorted(media_types.MANIFESTS))
def test_indexes_and_images_are_manifests(media_type: str) -> None:
    descriptor = Descriptor(media_type=media_type, digest=DIGEST, size_bytes=0)
    assert descriptor.is_manifest
    assert not descriptor.is_foreign


def test_a_layer_elsewhere_is_foreign() -> None:
    descriptor = Descriptor(
        media_type="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        digest=DIGEST,
        size_bytes=1,
        urls=("https://example.test/layer",),
    )
    assert descriptor.is_foreign
    assert not descriptor.is_manifest


def test_a_descriptor_is_hashable_whatever_its_annotations() -> None:
    one = Descriptor(media_type="a/b", digest=DIGEST, size_bytes=0, annotations={"k": "v"})
    assert len({one, one}) == 1


def test_a_raw_manifest_points_to_itself() -> None:
    raw = RawManifest(media_type=media_types.OCI_INDEX, digest=Digest.of(b"{}"), body=b"{}")
    assert raw.descriptor == Descriptor(
        media_type=media_types.OCI_INDEX, digest=Digest.of(b"{}"), size_bytes=2
    )


@pytest.mark.parametrize(
    ("platform", "text"),
    [
        (Platform(os="linux", architecture="amd64"), "linux/amd64"),
        (Platform(os="linux", architecture="arm", variant="v7"), "linux/arm/v7"),
    ],
)
def test_a_platform_reads_as_docker_writes_it(platform: Platform, text: str) -> None:
    assert str(platform) == text


@pytest.mark.parametrize(
    ("content_type", "bare"),
    [
        ("application/json; charset=utf-8", "application/json"),
        ("Application/JSON", "application/json"),
        (" text/plain ;x=y", "text/plain"),
        ("", ""),
    ],
)
def test_a_content_type_loses_its_parameters(content_type: str, bare: str) -> None:
    assert media_types.bare(content_type) == bare


def test_what_is_asked_for_is_every_manifest_known() -> None:
    assert set(media_types.ACCEPTED) == media_types.MANIFESTS
