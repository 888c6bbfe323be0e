from __future__ import annotations

import json
from typing import Any

import pytest

from protocol import media_types
from protocol.content import RawManifest
from protocol.digest import Digest
from protocol.errors import InvalidManifest
from registry import contents

A, B, C = (Digest.of(name) for name in (b"a", b"b", b"c"))


def raw(value: dict[str, Any], media_type: str | None = None) -> RawManifest:
    body = json.dumps({"schemaVersion": 2, **value}).encode()
    return RawManifest(
        media_type=media_type if media_type is not None else value["mediaType"],
        digest=Digest.of(body),
        body=body,
    )


def to(digest: Digest, media_type: str = media_types.OCI_LAYER_GZIP, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(digest), "size": 1, **more}


def test_an_image_needs_its_config_and_each_layer_once() -> None:
    foreign = to(C, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
    found = contents.read(
        raw(
            {
                "mediaType": media_types.OCI_MANIFEST,
                "config": to(A, media_types.OCI_CONFIG),
                "layers": [to(B), to(B), foreign],
                "subject": to(C, media_types.OCI_MANIFEST),
            }
        )
    )
    assert dict(found.blobs) == {A: "config", B: "layer"}
    assert (found.children, found.subject) == ((), C)
    assert found.entry.artifact_type == found.config_media_type == media_types.OCI_CONFIG


def test_an_index_needs_its_manifests_and_whatever_else_it_lists() -> None:
    platform = {"os": "linux", "architecture": "arm64"}
    found = contents.read(
        raw(
            {
                "mediaType": media_types.OCI_INDEX,
                "manifests": [to(A, media_types.OCI_MANIFEST, platform=platform), to(B)],
            }
        )
    )
    assert found.children == [(A, "linux/arm64")]
    assert found.others == [(B, None)]
    assert found.entry.artifact_type is None


def test_a_manifest_and_its_content_type_must_agree() -> None:
    value = {"mediaType": media_types.OCI_INDEX, "manifests": []}
    assert contents.read(raw(value, "")).entry.media_type == media_types.OCI_INDEX
    with pytest.raises(InvalidManifest, match="Content-Type is"):
        contents.read(raw(value, media_types.DOCKER_LIST))
