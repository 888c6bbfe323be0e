"""Backup and restore as an operator calls them: a killed backup, and a machine that is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobservice.demo import artifacts, content
from protocol.client.registry import RegistryClient
from protocol.credential import Credential
from protocol.transport import Transport
from tests.acceptance import house as acceptance
from tests.acceptance.house import PROGRAM, House

BEGUN_SECONDS = 60


@pytest.fixture
def houses() -> Iterator[list[House]]:
    """Two houses that are not started: one that will be lost, and one for what is restored."""
    with (
        tempfile.TemporaryDirectory(prefix="transship at ") as one,
        tempfile.TemporaryDirectory(prefix="transship at ") as other,
    ):
        both = [House(folder=Path(one)), House(folder=Path(other))]
        yield both
        for house in both:
            if house.process is not None:
                house.stop()


def client(house: House, transport: Transport) -> RegistryClient:
    credential = Credential(username="admin", password=acceptance.PASSWORD)
    return RegistryClient(transport, url=house.url, credential=credential)


def kill_in_the_middle(house: House, backups: Path) -> None:
    """Kill a backup for good while it copies: one object is a pipe that nobody writes to."""
    objects = sorted((house.folder / "data/storage/objects").glob("*/*"), key=lambda at: at.name)
    blocked = objects[-1]
    aside = blocked.with_name("aside")
    blocked.rename(aside)
    os.mkfifo(blocked)
    command = [*PROGRAM, "backup", str(backups), "--copy", "--data", str(house.folder / "data")]
    process = subprocess.Popen(
        command, env={"PATH": "/usr/bin:/bin", "HOME": str(house.folder)}, cwd=house.folder
    )
    deadline = time.monotonic() + BEGUN_SECONDS
    while not [at for at in backups.glob("objects/*/*") if not at.name.endswith(".partial")]:
        assert process.poll() is None
        assert time.monotonic() < deadline
        os.sched_yield()
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=60) == -signal.SIGKILL
    aside.rename(blocked)


def refused(house: House, *command: str) -> str:
    """Run what must be refused; return why."""
    told = house.run(*command)
    assert told.returncode == 1, told
    return told.stderr


def saved_by(house: House, backups: Path) -> dict[str, Any]:
    told = house.run("backup", str(backups), "--copy", "--json", *folder_of(house))
    assert told.returncode == 0, told.stderr
    saved: dict[str, Any] = json.loads(told.stdout)
    return saved


def folder_of(house: House) -> tuple[str, str]:
    return "--data", str(house.folder / "data")


async def test_a_machine_that_is_lost_comes_back_from_a_backup_whose_first_try_was_killed(
    houses: list[House], tmp_path: Path
) -> None:
    lost, new = houses
    built, backups = artifacts.build("team"), tmp_path / "backups"
    lost.start()
    assert lost.run("project", "create", "team").returncode == 0
    async with Transport() as transport:
        for artifact in built:
            there = client(lost, transport).repository(artifact.repository, writes=True)
            await content.push(artifact, there)
        kill_in_the_middle(lost, backups)
        into = ("restore", str(backups), *folder_of(new))
        assert "no finished backup" in refused(new, *into)
        saved = saved_by(lost, backups)
        assert saved["holes"] == {}
        assert saved["there"] > 0
        assert saved["there"] + saved["copied"] == saved["objects"]
        assert "in use" in refused(lost, "restore", str(backups), "--replace", *folder_of(lost))
        lost.stop()
        shutil.copy(lost.folder / "data" / "key", new.folder / "data" / "key")
        restored = new.run(*into)
        assert restored.returncode == 0, restored.stderr
        assert "key" not in restored.stderr
        assert "verified: 0 losses" in restored.stdout
        new.start()
        for artifact in built:
            await content.verify(artifact, client(new, transport).repository(artifact.repository))
