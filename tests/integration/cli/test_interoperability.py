"""`copy` and `sync` against the real docker-registry, judged by skopeo's eyes.

Where a program is missing the tests are skipped, and fail instead when CI=true.
"""

import asyncio
import hashlib
import json
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from protocol import media_types
from tests.integration.cli.conftest import Ended, Transship

CONFIG = """version: 0.1
storage: {{delete: {{enabled: true}}, filesystem: {{rootdirectory: "{folder}/data"}}}}
http: {{addr: 127.0.0.1:{port}}}
"""


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is not installed: interoperability is not tested here"
        if os.environ.get("CI") == "true":  # noqa: TID251 - CI must not skip
            pytest.fail(reason)
        pytest.skip(reason)
    return found


async def run(*command: str | Path) -> Ended:
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return Ended(code=process.returncode or 0, out=out.decode(), err=err.decode())


@asynccontextmanager
async def docker_registry(folder: Path) -> AsyncIterator[str]:
    """Run one on a free port; yield `host:port`."""
    server = program("docker-registry")
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "config.yml"
    config.write_text(CONFIG.format(folder=folder, port=port))
    process = await asyncio.create_subprocess_exec(
        server,
        "serve",
        str(config),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(20):
            while b"listening on" not in await process.stderr.readline():
                assert process.returncode is None
        async with asyncio.TaskGroup() as group:
            group.create_task(process.stderr.read())
            yield f"127.0.0.1:{port}"
            process.terminate()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
async def upstream(tmp_path: Path) -> AsyncIterator[str]:
    async with docker_registry(tmp_path / "upstream") as host:
        yield host


@pytest.fixture
async def mirror(tmp_path: Path) -> AsyncIterator[str]:
    async with docker_registry(tmp_path / "mirror") as host:
        yield host


async def push_index(host: str, repository: str, tag: str) -> None:
    """Push an index of two platforms with a shared layer, as any client would."""
    base = f"http://{host}/v2/{repository}"
    async with aiohttp.ClientSession() as session:

        async def blob(content: bytes, media_type: str) -> dict[str, object]:
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
            async with session.post(f"{base}/blobs/uploads/") as opened:
                location = opened.headers["Location"]
            async with session.put(f"{location}&digest={digest}", data=content) as put:
                assert put.status == 201
            return {"mediaType": media_type, "digest": digest, "size": len(content)}

        async def manifest(document: dict[str, object], reference: str) -> dict[str, object]:
            body = json.dumps(document, indent=3).encode()
            digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
            media_type = str(document["mediaType"])
            url = f"{base}/manifests/{reference or digest}"
            headers = {"Content-Type": media_type}
            async with session.put(url, data=body, headers=headers) as put:
                assert put.status == 201
            return {"mediaType": media_type, "digest": digest, "size": len(body)}

        entries = []
        for architecture in ("amd64", "arm64"):
            config = json.dumps({"os": "linux", "architecture": architecture}).encode()
            image = await manifest(
                {
                    "schemaVersion": 2,
                    "mediaType": media_types.OCI_MANIFEST,
                    "config": await blob(config, media_types.OCI_CONFIG),
                    "layers": [
                        await blob(b"shared" * 1000, media_types.OCI_LAYER),
                        await blob(architecture.encode() * 1000, media_types.OCI_LAYER),
                    ],
                },
                "",
            )
            platform = {"os": "linux", "architecture": architecture}
            entries.append({**image, "platform": platform})
        await manifest(
            {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries}, tag
        )


async def raw(place: str) -> str:
    """Return the exact manifest as skopeo reads it."""
    insecure = [] if place.startswith("oci:") else ["--tls-verify=false"]
    ended = await run(program("skopeo"), "inspect", "--raw", *insecure, place)
    assert ended.code == 0, ended.err
    return ended.out


async def test_an_index_is_byte_identical_behind_docker_registry(
    transship: Transship, upstream: str, mirror: str
) -> None:
    await push_index(upstream, "team/app", "v1")
    ended = await transship("copy", f"{upstream}/team/app:v1", f"{mirror}/team/app:v1")
    assert ended.code == 0, ended.err
    there = await raw(f"docker://{mirror}/team/app:v1")
    assert there == await raw(f"docker://{upstream}/team/app:v1")
    for entry in json.loads(there)["manifests"]:
        digest = entry["digest"]
        assert await raw(f"docker://{mirror}/team/app@{digest}") == await raw(
            f"docker://{upstream}/team/app@{digest}"
        )


async def test_skopeo_pulls_everything_that_was_copied(
    transship: Transship, upstream: str, mirror: str, tmp_path: Path
) -> None:
    await push_index(upstream, "team/app", "v1")
    ended = await transship("copy", "-a", f"{upstream}/team/app", f"{mirror}/team/app")
    assert ended.code == 0, ended.err
    pulled = await run(
        program("skopeo"),
        *("copy", "--all", "--src-tls-verify=false", f"docker://{mirror}/team/app:v1"),
        f"dir:{tmp_path}/pulled",
    )
    assert pulled.code == 0, pulled.err


async def test_skopeo_and_this_program_read_each_other_s_layouts(
    transship: Transship, upstream: str, mirror: str, tmp_path: Path
) -> None:
    await push_index(upstream, "team/app", "v1")
    source = f"docker://{upstream}/team/app:v1"
    theirs = f"oci:{tmp_path}/theirs:v1"
    written = await run(
        program("skopeo"), "copy", "--all", "--src-tls-verify=false", source, theirs
    )
    assert written.code == 0, written.err
    ended = await transship("copy", theirs, f"{mirror}/from-layout:v1")
    assert ended.code == 0, ended.err
    # skopeo writes the index anew on its way into a layout; from there on it stays as it is.
    assert await raw(f"docker://{mirror}/from-layout:v1") == await raw(theirs)

    ours = await transship("copy", f"{upstream}/team/app:v1", f"oci:{tmp_path}/ours:v1")
    assert ours.code == 0, ours.err
    assert await raw(f"oci:{tmp_path}/ours:v1") == await raw(source)


async def test_a_file_syncs_between_docker_registries(
    transship: Transship, upstream: str, mirror: str, tmp_path: Path
) -> None:
    await push_index(upstream, "team/app", "v1")
    file = tmp_path / "sync.yml"
    file.write_text(
        f"""
version: 1
registries: [{{name: up, url: "http://{upstream}"}}, {{name: down, url: "http://{mirror}"}}]
policies:
  - {{name: all, src_registry: up, dest_registry: down, filters: [{{type: tag, value: "v*"}}]}}
"""
    )
    for outcome in ("1 copied", "1 up to date"):
        ended = await transship("sync", file)
        assert ended.code == 0, ended.err
        assert outcome in ended.out
    there = await raw(f"docker://{mirror}/team/app:v1")
    assert there == await raw(f"docker://{upstream}/team/app:v1")
