from __future__ import annotations

from protocol import media_types
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.manifest import Image, Index
from replication.graph import parts

FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


def descriptor(content: bytes, media_type: str = media_types.OCI_LAYER) -> Descriptor:
    return Descriptor(media_type=media_type, digest=Digest.of(content), size_bytes=len(content))


def test_an_image_needs_its_config_and_each_layer_once() -> None:
    config, layer = descriptor(b"{}", media_types.OCI_CONFIG), descriptor(b"one")
    image = Image(media_type=media_types.OCI_MANIFEST, config=config, layers=(layer, layer, config))
    assert parts(image).blobs == (config, layer)


def test_foreign_layers_are_left_out() -> None:
    config, foreign = descriptor(b"{}"), descriptor(b"far", FOREIGN)
    found = parts(Image(media_type=media_types.DOCKER_MANIFEST, config=config, layers=(foreign,)))
    assert (found.blobs, found.foreign) == ((config,), (foreign,))


def test_an_index_has_manifests_blobs_and_entries_that_may_be_either() -> None:
    image = descriptor(b"image", media_types.OCI_MANIFEST)
    layer = descriptor(b"layer")
    odd = descriptor(b"odd", "application/x-odd")
    found = parts(Index(media_type=media_types.OCI_INDEX, manifests=(image, layer, odd, image)))
    assert (found.manifests, found.blobs, found.unknown) == ((image,), (layer,), (odd,))


def test_a_subject_is_no_part() -> None:
    subject = descriptor(b"subject", media_types.OCI_MANIFEST)
    found = parts(Index(media_type=media_types.OCI_INDEX, subject=subject))
    assert found.manifests == ()
