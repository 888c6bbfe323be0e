"""A storage that Debian's docker-registry made is adopted by the command, while it serves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobservice.demo import artifacts, content, peers
from protocol.client.registry import RegistryClient
from protocol.credential import Credential
from protocol.transport import Transport
from tests.acceptance import house as acceptance
from tests.acceptance.house import House
from tests.contract import places


@pytest.fixture(scope="module")
def built() -> list[artifacts.Artifact]:
    return artifacts.build("team")


async def test_what_docker_registry_holds_is_served_here_while_it_goes_on(
    house: House, built: list[artifacts.Artifact], tmp_path: Path
) -> None:
    program = Path(places.needs_program("docker-registry"))
    folders = ("--from", str(tmp_path / "old/data"), "--data", str(house.folder / "data"))
    importing = ("storage", "import", *folders, "--json")
    async with Transport() as transport, peers.debian(tmp_path / "old", program) as old:
        there = RegistryClient(transport, url=old.url)
        for artifact in built[:-1]:
            await content.push(artifact, there.repository(artifact.repository, writes=True))
        first = house.run(*importing)
        assert first.returncode == 0, first.stderr
        came = json.loads(first.stdout)
        assert came["skipped"] == []
        late = built[-1]
        await content.push(late, there.repository(late.repository, writes=True))
        second = json.loads(house.run(*importing).stdout)
        assert (second["tags"], second["tags_here"]) == (1, came["tags"])
        third = json.loads(house.run(*importing).stdout)
        assert (third["manifests"], third["tags"], third["blobs"]) == (0, 0, 0)
        credential = Credential(username="admin", password=acceptance.PASSWORD)
        here = RegistryClient(transport, url=house.url, credential=credential)
        assert json.loads(house.run(*importing, "--commit").stdout)["handed_over"]["in_place"] == 0
        data = list((tmp_path / "old/data").glob("docker/registry/v2/blobs/*/*/*/data"))
        assert len(data) == third["left"]
        for artifact in built:
            await content.verify(artifact, here.repository(artifact.repository))
