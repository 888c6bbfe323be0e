"""skopeo pushes here and pulls from here, byte for byte."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from aiohttp.test_utils import TestServer

from protocol import media_types
from protocol.digest import Digest
from tests.contract import places
from tests.integration.registry import steps
from tests.integration.registry.conftest import PASSWORD


def a_layout(folder: Path) -> bytes:
    """Write an OCI layout of one image; return its manifest."""
    config = json.dumps(
        {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
    ).encode()
    manifest = steps.image(config, [])
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for content in (config, manifest):
        (blobs / Digest.of(content).encoded).write_bytes(content)
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    entry = {
        **steps.descriptor(manifest, media_types.OCI_MANIFEST),
        "annotations": {"org.opencontainers.image.ref.name": "latest"},
    }
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    return manifest


async def skopeo(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        places.needs_program("skopeo"), *arguments, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()


async def test_what_skopeo_pushes_it_pulls_again(server: TestServer, tmp_path: Path) -> None:
    manifest = a_layout(tmp_path / "source")
    here = f"docker://{server.host}:{server.port}/{steps.REPOSITORY}:latest"
    policy = "--insecure-policy"
    await skopeo(
        policy,
        "copy",
        "--dest-tls-verify=false",
        f"--dest-creds=admin:{PASSWORD}",
        f"oci:{tmp_path / 'source'}:latest",
        here,
    )
    await skopeo(policy, "copy", "--src-tls-verify=false", here, f"dir:{tmp_path / 'pulled'}")
    assert (tmp_path / "pulled" / "manifest.json").read_bytes() == manifest
