"""Garbage collection as a user has it: by hand, by its schedule, stopped, killed, undone."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobservice.cli.exit_codes import ExitCode
from protocol.client.registry import RegistryClient
from protocol.content import ContentStore
from protocol.credential import Credential
from protocol.transport import Transport
from tests.acceptance.house import PASSWORD, House
from tests.acceptance.test_commands import Shell
from tests.acceptance.test_schedules import connect
from tests.integration.jobservice import images

SECONDS = 120
GONE, KEPT, FREED = "library/gone", "library/kept", "library/freed"
LAYER = os.urandom(1_000_000)
DUE_NOW = """
UPDATE jobservice.schedules SET next_fire_time = now(), next_fire_at = now()
WHERE vendor_type = 'GARBAGE_COLLECTION'
"""
# No blob is buried and nothing is swept while somebody has this.
HOLD = "LOCK TABLE registry.tombstones IN ACCESS EXCLUSIVE MODE"
WAITS = (
    "SELECT count(*) FROM pg_locks WHERE relation = 'registry.tombstones'::regclass AND NOT granted"
)


@pytest.fixture
def own_house(short_folder: Path) -> Iterator[House]:
    """A house whose objects are counted."""
    started = House(folder=short_folder)
    started.start()
    yield started
    started.stop()


@pytest.fixture
def shell(own_house: House) -> Shell:
    return Shell(own_house)


@contextlib.asynccontextmanager
async def opened(house: House, repository: str) -> AsyncIterator[ContentStore]:
    """A repository as docker has it."""
    async with Transport() as transport:
        credential = Credential(username="admin", password=PASSWORD)
        client = RegistryClient(transport, url=house.url, credential=credential)
        yield client.repository(repository, writes=True)
        await client.close()


async def push(house: House, repository: str, *layers: bytes) -> None:
    async with opened(house, repository) as store:
        await images.push(store, "1.0", *layers)


async def delete(house: House, repository: str) -> None:
    async with opened(house, repository) as store:
        await store.delete_manifest((await store.resolve("1.0")).digest)


async def is_whole(house: House, repository: str) -> bool:
    """Say whether an image can be pulled with all its bytes."""
    async with opened(house, repository) as store:
        manifest = json.loads((await store.read_manifest("1.0")).body)
        parts = [manifest["config"], *manifest["layers"]]
        return all(
            [
                await store.has_blob(
                    images.described(part["mediaType"], part["digest"], part["size"])
                )
                for part in parts
            ]
        )


def objects(house: House) -> int:
    return len(list((house.folder / "data/storage/objects").glob("*/*")))


async def test_what_was_deleted_comes_back_until_a_run_frees_its_bytes(
    own_house: House, shell: Shell
) -> None:
    await push(own_house, GONE, LAYER)
    await push(own_house, KEPT, b"kept")
    await delete(own_house, GONE)

    page = await shell.json("gc", "preview")
    listed = await shell.said("gc", "preview", "--format", "csv")
    assert len(list(csv.DictReader(listed.splitlines()))) == len(page["candidates"]) == 2
    assert GONE in await shell.said("gc", "preview")
    assert "<table>" in await shell.said("gc", "preview", "--format", "html")

    await shell.said("gc", "run")
    assert objects(own_house) == 4
    (deleted,) = await shell.json("gc", "deleted", "--repository", GONE)
    assert (deleted["tags"], deleted["deleted_by"], deleted["state"]) == (
        ["1.0"],
        "admin",
        "deleted",
    )
    assert f"{GONE}:1.0 is back" in await shell.said("gc", "undelete", f"{GONE}:1.0")
    assert await is_whole(own_house, GONE)

    await push(own_house, FREED, LAYER[::-1])
    await delete(own_house, FREED)
    ended = await shell.run("gc", "run", "--now", "--workers", "2")
    assert ended.returncode == ExitCode.OK, ended.stderr
    assert "Success" in ended.stderr
    assert objects(own_house) == 4
    assert await is_whole(own_house, GONE)
    assert await is_whole(own_house, KEPT)
    latest = (await shell.json("gc", "history"))[0]
    assert json.loads(latest["job_parameters"])["freed_space"] > len(LAYER)
    assert "collection_ends" in await shell.said("gc", "log", str(latest["id"]))
    assert str(latest["id"]) in await shell.said("gc", "history")
    await shell.said("gc", "watch", str(latest["id"]))
    assert "is released" in (await shell.refused("gc", "undelete", f"{FREED}:1.0"))[1]
    assert "  released  " in await shell.said("gc", "deleted", "--repository", FREED)


async def test_a_tag_that_was_deleted_alone_is_listed_by_the_name_that_undelete_wants(
    own_house: House, shell: Shell
) -> None:
    await push(own_house, KEPT, LAYER)
    async with opened(own_house, KEPT) as store:
        await store.delete_tag("1.0")
    (row,) = (await shell.said("gc", "deleted")).splitlines()[1:]
    kind, name, *_ = row.split()
    assert (kind, name) == ("tag", f"{KEPT}:1.0")
    assert f"{name} is back" in await shell.said("gc", "undelete", name)
    assert await is_whole(own_house, KEPT)


async def test_a_dry_run_says_what_would_go_and_a_list_has_tags_as_they_are_written(
    own_house: House, shell: Shell
) -> None:
    await push(own_house, GONE, LAYER)
    await delete(own_house, GONE)
    dry = await shell.run("gc", "run", "--dry-run")
    assert "would go" in dry.stderr
    assert "freed" not in dry.stderr
    (row,) = (await shell.said("gc", "deleted")).splitlines()[1:]
    assert "  1.0  " in row
    assert row.split()[1].startswith(f"{GONE}@sha256:")


async def test_a_schedule_that_is_due_collects_by_itself(own_house: House, shell: Shell) -> None:
    assert "by hand only" in await shell.said("gc", "schedule")
    assert "0 0 0 * * *" in await shell.said("gc", "schedule", "--every", "1d", "--workers", "2")
    connection = await connect(own_house)
    try:
        await connection.execute(DUE_NOW)
        await connection.execute("SELECT pg_notify('jobservice_schedules', '')")
    finally:
        await connection.close()
    async with asyncio.timeout(SECONDS):
        while not (found := await shell.json("gc", "history")):
            pass
    assert found[0]["job_kind"] == "SCHEDULE"
    await shell.said("gc", "watch", str(found[0]["id"]))
    assert "by hand only" in await shell.said("gc", "schedule", "--off")


@contextlib.asynccontextmanager
async def held(house: House) -> AsyncIterator[Any]:
    """Let nobody collect, inside; yields a connection that looks on."""
    holder, watcher = await connect(house), await connect(house)
    try:
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute(HOLD)
        yield watcher
        await transaction.rollback()
    finally:
        await holder.close()
        await watcher.close()


async def begun(shell: Shell, watcher: Any) -> str:
    """Start a collection that comes to a halt in its review; return its id."""
    identity = str((await shell.json("gc", "run", "--now", "--no-watch"))["id"])
    async with asyncio.timeout(SECONDS):
        while (await shell.json("gc", "history"))[0]["transship"].get("phase") != "review":
            pass
        while not await watcher.fetchval(WAITS):
            pass
    return identity


async def test_a_run_is_stopped_in_the_middle(own_house: House, shell: Shell) -> None:
    await push(own_house, GONE, LAYER)
    await delete(own_house, GONE)
    async with held(own_house) as watcher:
        identity = await begun(shell, watcher)
        assert "is asked to stop" in await shell.said("gc", "stop", identity)
        code, sentence = await shell.refused("gc", "watch", identity)
        assert code == ExitCode.FAILED
        assert "ended as Stopped" in sentence
    assert objects(own_house) == 2
    await shell.said("gc", "run", "--now")
    assert objects(own_house) == 0


async def test_a_run_whose_worker_is_killed_still_ends(own_house: House, shell: Shell) -> None:
    await push(own_house, GONE, LAYER)
    await delete(own_house, GONE)
    async with held(own_house) as watcher:
        identity = await begun(shell, watcher)
        pid = await watcher.fetchval("SELECT pid FROM jobservice.workers ORDER BY id DESC LIMIT 1")
        os.kill(pid, signal.SIGKILL)
    await shell.said("gc", "watch", identity)
    assert objects(own_house) == 0
    (run,) = await shell.json("gc", "history")
    assert run["transship"]["deleted_objects"] == run["transship"]["blobs"] == 2
    steps = await shell.said("audit", "list", "--type", "garbage_collection")
    assert "start" in steps


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("run", "--workers", "11"), ExitCode.USAGE),
        (("watch", "999"), ExitCode.NOT_FOUND),
        (("stop", "999"), ExitCode.NOT_FOUND),
        (("log", "999"), ExitCode.NOT_FOUND),
        (("undelete", "library/gone"), ExitCode.USAGE),
        (("undelete", "library/never:1.0"), ExitCode.NOT_FOUND),
        (("preview", "--format", "xml"), ExitCode.USAGE),
        (("schedule", "--every", "7m"), ExitCode.USAGE),
        (("schedule", "--cron", "* * * * *"), ExitCode.USAGE),
        (("schedule", "--off", "--every", "1d"), ExitCode.USAGE),
        (("schedule", "--workers", "2"), ExitCode.USAGE),
    ],
)
async def test_what_makes_no_sense_ends_with_its_code(
    house: House, words: tuple[str, ...], code: ExitCode
) -> None:
    assert (await Shell(house).refused("gc", *words))[0] == code
