"""`transship storage verify` and `usage` beside a running `transship up`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jobservice.demo import artifacts, content
from protocol.client.registry import RegistryClient
from protocol.credential import Credential
from protocol.transport import Transport
from tests.acceptance import house as acceptance
from tests.acceptance.house import House

NOTHING_WRONG, SOMETHING_WRONG = 0, 6


@pytest.fixture(scope="module")
def built() -> artifacts.Artifact:
    return artifacts.build("library")[1]


async def push(house: House, artifact: artifacts.Artifact, repository: str) -> None:
    async with Transport() as transport:
        credential = Credential(username="admin", password=acceptance.PASSWORD)
        client = RegistryClient(transport, url=house.url, credential=credential)
        await content.push(artifact, client.repository(repository, writes=True))
        await client.close()


def care(house: House, *words: str, code: int = NOTHING_WRONG) -> Any:
    done = house.run("storage", *words, "--json", "--data", str(house.folder / "data"))
    assert done.returncode == code, (done.stdout, done.stderr)
    return json.loads(done.stdout)


def objects(house: House) -> list[Path]:
    return list((house.folder / "data/storage/objects").glob("*/*"))


async def test_a_lost_layer_is_told_marked_and_healed_by_pushing_again(
    short_folder: Path, built: artifacts.Artifact, session: aiohttp.ClientSession
) -> None:
    del session
    house = House(folder=short_folder)
    house.start()
    try:
        await push(house, built, "library/care")
        before = care(house, "verify")
        assert (before["findings"], before["open"]) == ([], 0)
        assert before["hashed_bytes"] == before["blob_bytes"] > 0
        largest = max(objects(house), key=lambda path: path.stat().st_size)
        largest.unlink()
        told = care(house, "verify", "--quick", code=SOMETHING_WRONG)
        assert told["faults"] == {"missing": 1}
        assert [one["repository"] for one in told["findings"][0]["breaks"]] == ["library/care"]
        shown = house.run("storage", "verify", "--repair", "--data", str(house.folder / "data"))
        assert shown.returncode == SOMETHING_WRONG
        assert "breaks library/care:" in shown.stdout
        assert "push the tags above again" in shown.stdout
        await push(house, built, "library/care")
        assert care(house, "verify")["findings"] == []
        usage = care(house, "usage", "--project", "library")
        [repository] = usage["repositories"]
        assert repository["stored_bytes"] == repository["exclusive_bytes"] > 0
        shown = house.run("storage", "usage", "--data", str(house.folder / "data"))
        assert shown.returncode == 0
        assert "library/care" in shown.stdout
        shown = house.run(
            "storage", "usage", "--project", "libary", "--data", str(house.folder / "data")
        )
        assert (shown.returncode, "project 'libary' does not exist" in shown.stderr) == (1, True)
    finally:
        house.stop()
