"""A third-party adapter, installed by pip, is a kind like any other."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import aiohttp

from tests.acceptance import house as acceptance
from tests.acceptance.house import Api, House
from tests.fakes.registry.server import FakeRegistry

EXAMPLE = Path(__file__).parents[2] / "examples" / "transship-adapter-example"


def install(folder: Path) -> Path:
    """Install the example beside everything else; return the folder that holds it."""
    shutil.copytree(EXAMPLE, folder / "source")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    install += ["--no-build-isolation", "--target", str(folder / "site"), str(folder / "source")]
    subprocess.run(install, check=True, timeout=120)
    return folder / "site"


async def test_it_shows_up_and_replicates(
    short_folder: Path, tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    house = House(folder=short_folder, environment={"PYTHONPATH": str(install(tmp_path))})
    house.start()
    try:
        api = Api(house.url, session)
        kinds = await api.get("/replication/adapters")
        assert {"docker-registry", "example-prefix"} <= {*kinds}
        async with FakeRegistry() as registry:
            registry.repository("team-a/library/app").put_image("1.0")
            registry.repository("team-b/library/app").put_image("1.0")
            body = {"name": "team-a", "type": "example-prefix", "url": f"{registry.url}/team-a"}
            source = (await api.post("/registries", body)).id
            policy = await api.policy(
                "team-a", source=source, filters=acceptance.names("library/**")
            )
            execution = await api.start(policy)
            ended = await api.ended(execution)
            assert ended["status"] == "Succeed", ended
            (task,) = await api.tasks(execution)
            assert task["src_resource"].startswith("library/app ")
    finally:
        house.stop()
