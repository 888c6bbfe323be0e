"""Retention at Debian's docker-registry, as a user of the commands has it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import yaml

from adapters.docker_registry import DockerRegistryAdapter
from jobservice.cli.exit_codes import ExitCode
from jobservice.demo import peers
from tests.acceptance.house import House
from tests.acceptance.test_commands import Shell
from tests.contract import artifacts, places
from tests.unit.registry.retention.examples import delete, keep

REPOSITORY = "team/app"


@pytest.fixture
def own_house(short_folder: Path) -> Iterator[House]:
    started = House(folder=short_folder)
    started.start()
    yield started
    started.stop()


@pytest.fixture
async def elsewhere(tmp_path: Path) -> AsyncIterator[DockerRegistryAdapter]:
    """Debian's docker-registry with five versions, one of them under two names."""
    program = Path(places.needs_program("docker-registry"))
    async with (
        peers.debian(tmp_path / "debian", program) as peer,
        places.registry_adapter(peer.url) as adapter,
    ):
        store = adapter.content(REPOSITORY)
        for tag in ("v1.0", "v1.1", "v1.2", "v1.3", "v1.4", "latest"):
            label = "v1.4" if tag == "latest" else tag
            image = artifacts.image(artifacts.blob(label.encode()), label=label)
            await artifacts.put_image(store, image, tag=tag)
        yield adapter


async def tags(adapter: DockerRegistryAdapter) -> set[str]:
    return {tag async for page in adapter.content(REPOSITORY).tags() for tag in page}


def written(folder: Path, *said: dict[str, object], scope: str = "digest") -> str:
    """Write a policy's file and return its name."""
    file = folder / f"{scope}.yaml"
    file.write_text(yaml.safe_dump({"transship": {"rules": list(said), "scope": scope}}))
    return str(file)


async def test_old_versions_go_and_no_tag_takes_anothers_digest_along(
    own_house: House, elsewhere: DockerRegistryAdapter, tmp_path: Path
) -> None:
    shell = Shell(own_house)
    await shell.said("remote", "create", "debian", "--url", elsewhere.context.endpoint.url)
    newest = keep("v*", when={"newest": {"count": 2, "by": "semver"}})
    file = written(tmp_path, newest, delete("v*"))

    preview = await shell.said("retention", "preview", "remote:debian", "--file", file)
    assert "v1.0" in preview
    assert len(await tags(elsewhere)) == 6
    assert "registry debian has retention policy" in await shell.said(
        "retention", "set", "remote:debian", file
    )
    assert "remote:debian" in await shell.said("retention", "list")
    await shell.said("retention", "run", "remote:debian", "--watch")
    assert await tags(elsewhere) == {"v1.3", "v1.4", "latest"}

    # distribution 2 deletes no tag alone, and v1.4 has the digest of latest.
    await shell.said(
        "retention", "set", "remote:debian", written(tmp_path, delete("latest"), scope="tag")
    )
    await shell.said("retention", "run", "remote:debian", "--watch")
    log = await shell.said("retention", "log", "remote:debian", "--repository", REPOSITORY)
    assert "cannot delete a tag without its digest, and v1.4 has the same digest" in log
    assert await tags(elsewhere) == {"v1.3", "v1.4", "latest"}


async def test_a_registry_that_is_no_remote_is_named(own_house: House) -> None:
    shell = Shell(own_house)
    code, told = await shell.refused("retention", "show", "remote:nowhere")
    assert (code, "nowhere" in told) == (ExitCode.NOT_FOUND, True)
