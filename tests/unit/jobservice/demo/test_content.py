from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters import oci_layout
from jobservice.demo import artifacts, content
from jobservice.demo.artifacts import Artifact
from jobservice.demo.errors import NotAsPromised
from protocol import manifest


@pytest.fixture(scope="module")
def built() -> list[Artifact]:
    return artifacts.build("demo")


async def test_what_was_pushed_is_verified_byte_for_byte(
    built: list[Artifact], tmp_path: Path
) -> None:
    for artifact in built:
        store = oci_layout.open_directory(tmp_path / artifact.repository)
        await content.push(artifact, store)
        compared = await content.verify(artifact, store)
        assert compared == len(artifact.manifests) + len(artifact.referrers)


async def test_a_missing_signature_is_noticed(built: list[Artifact], tmp_path: Path) -> None:
    store = oci_layout.open_directory(tmp_path)
    await content.push(built[0], store)
    (signature,) = built[0].referrers
    listing = json.loads((tmp_path / "index.json").read_text())
    listing["manifests"] = [e for e in listing["manifests"] if e["digest"] != str(signature.digest)]
    (tmp_path / "index.json").write_text(json.dumps(listing))
    with pytest.raises(NotAsPromised, match="0 referrers are listed, not the 1"):
        await content.verify(built[0], oci_layout.open_directory(tmp_path))


async def test_a_tag_that_points_elsewhere_is_noticed(
    built: list[Artifact], tmp_path: Path
) -> None:
    store = oci_layout.open_directory(tmp_path)
    await content.push(built[1], store)
    newer = artifacts.single_image("demo/tool", built[1].blobs[1], version="1.1")
    await content.push(newer, store)
    await content.verify(newer, store)
    with pytest.raises(NotAsPromised, match="demo/tool:latest"):
        await content.verify(built[1], store)


def test_the_artifacts_are_what_they_say(built: list[Artifact]) -> None:
    index = manifest.parse(built[0].root)
    assert isinstance(index, manifest.Index)
    assert [str(entry.platform) for entry in index.manifests] == ["linux/amd64", "linux/arm64"]
    first, second = (manifest.parse(each) for each in built[0].manifests[:2])
    assert isinstance(first, manifest.Image)
    assert isinstance(second, manifest.Image)
    assert first.layers[0] == second.layers[0]
    signature = manifest.parse(built[0].referrers[0])
    assert signature.subject is not None
    assert signature.subject.digest == built[0].root.digest


def test_a_new_version_shares_all_but_its_own_layer(built: list[Artifact]) -> None:
    newer = artifacts.single_image("demo/tool", built[1].blobs[1], version="1.1")
    old = {blob.descriptor.digest for blob in built[1].blobs}
    fresh = [blob for blob in newer.blobs if blob.descriptor.digest not in old]
    assert len(fresh) == 2
    assert sum(blob.descriptor.size_bytes for blob in fresh) < 2000
