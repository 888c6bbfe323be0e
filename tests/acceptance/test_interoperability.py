"""Other people's tools and registries: what they push arrives and what we push they can read."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import oras.client
import pytest

from adapters import oci_layout
from jobservice.demo import artifacts, content, peers
from protocol.client.registry import RegistryClient
from protocol.credential import Credential
from protocol.transport import Transport
from tests.acceptance import house as acceptance
from tests.acceptance.house import Api, House
from tests.contract import places

CREDENTIALS = f"admin:{acceptance.PASSWORD}"


@pytest.fixture(scope="module")
def built() -> list[artifacts.Artifact]:
    return artifacts.build("library")


@pytest.fixture
def host(house: House) -> str:
    return house.url.removeprefix("http://")


@pytest.fixture
def skopeo() -> str:
    return places.needs_program("skopeo")


async def test_docker_registry_is_source_and_destination(
    api: Api, built: list[artifacts.Artifact], tmp_path: Path
) -> None:
    program = Path(places.needs_program("docker-registry"))
    async with (
        Transport() as transport,
        peers.debian(tmp_path / "from", program) as source,
        peers.debian(tmp_path / "to", program) as target,
    ):
        client = RegistryClient(transport, url=source.url)
        for artifact in built:
            await content.push(artifact, client.repository(artifact.repository, writes=True))
        ends = [await api.endpoint(f"debian-{name}", url) for name, url in _urls(source, target)]
        inward = await api.policy(
            "debian-in", source=ends[0], filters=acceptance.names("library/**")
        )
        outward = await api.policy(
            "debian-out", destination=ends[1], filters=acceptance.names("library/**")
        )
        for policy in (inward, outward):
            ended = await api.ended(await api.start(policy))
            assert ended["status"] == "Succeed", ended
        arrived = RegistryClient(transport, url=target.url)
        for artifact in built:
            await content.verify(artifact, arrived.repository(artifact.repository))


async def test_skopeo_pushes_and_pulls(
    house: House, host: str, skopeo: str, built: list[artifacts.Artifact], tmp_path: Path
) -> None:
    index = built[0]
    await content.push(index, oci_layout.open_directory(tmp_path / "pushed"))
    there = f"docker://{host}/library/by-skopeo:1.0"
    copy = (skopeo, "--insecure-policy", "copy", "--quiet", "--all")
    await _run(
        *copy,
        "--dest-tls-verify=false",
        f"--dest-creds={CREDENTIALS}",
        f"oci:{tmp_path}/pushed:1.0",
        there,
    )
    await _run(*copy, "--src-tls-verify=false", there, f"oci:{tmp_path}/pulled:1.0")
    pulled = oci_layout.open_directory(tmp_path / "pulled")
    assert (await pulled.read_manifest("1.0")).body == index.root.body
    async with Transport() as transport:
        credential = Credential(username="admin", password=acceptance.PASSWORD)
        ours = RegistryClient(transport, url=house.url, credential=credential)
        found = await ours.repository("library/by-skopeo").read_manifest("1.0")
    assert found.body == index.root.body


async def test_skopeo_is_told_which_project_is_missing(
    host: str, skopeo: str, built: list[artifacts.Artifact], tmp_path: Path
) -> None:
    await content.push(built[1], oci_layout.open_directory(tmp_path / "pushed"))
    with pytest.raises(AssertionError, match="transship project create nowhere"):
        await _run(
            *(skopeo, "--insecure-policy", "copy", "--dest-tls-verify=false"),
            f"--dest-creds={CREDENTIALS}",
            f"oci:{tmp_path}/pushed:latest",
            f"docker://{host}/nowhere/app:1.0",
        )


def test_oras_pushes_and_pulls_an_artifact(host: str, tmp_path: Path) -> None:
    document = tmp_path / "document.txt"
    document.write_text("an artifact of another kind\n")
    client = oras.client.OrasClient(hostname=host, insecure=True, auth_backend="basic")
    # `client.login` would ask a Docker daemon first, and leave its socket open.
    client.auth.set_basic_auth("admin", acceptance.PASSWORD)
    target = f"{host}/library/by-oras:1.0"
    pushed = client.push(target=target, files=[str(document)], disable_path_validation=True)
    assert pushed.status_code == 201
    pulled = client.pull(target=target, outdir=str(tmp_path / "out"))
    assert [Path(name).read_text() for name in pulled] == [document.read_text()]
    assert client.get_tags(f"{host}/library/by-oras") == ["1.0"]


def _urls(source: peers.Peer, target: peers.Peer) -> list[tuple[str, str]]:
    return [("source", source.url), ("target", target.url)]


async def _run(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
