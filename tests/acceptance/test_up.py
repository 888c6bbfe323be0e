"""`transship up` as a user meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from database import sealing
from jobservice.supervisor import process
from tests.acceptance import running


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="transship test ") as path:
        yield Path(path)


def test_everything_runs_from_one_command_and_ends_with_it(folder: Path) -> None:
    with running.up(folder / "data") as first:
        assert first.get("/healthz") is not None
        assert first.get("/api/v2.0/ping") is not None
        everything = running.descendants(first.process.pid)
        assert len(everything) >= 4
        assert first.stop() == 0
    assert [pid for pid in everything if process.exists(pid)] == []


def test_several_apis_share_one_address_and_one_that_is_killed_comes_back(folder: Path) -> None:
    with running.up(folder / "data", "--api", "2", "--workers", "0") as house:
        first = apis_within(house, 2)
        assert {listens_at(pid) for pid in first} == {listens_at(min(first))}
        os.kill(max(first), signal.SIGKILL)
        while listens_at(max(first)):  # until the system has closed what it held
            pass
        for _ in range(50):
            assert house.get("/healthz") is not None
        then = apis_within(house, 2, without=max(first))
        assert min(first) in then
        assert house.stop() == 0


def test_the_api_runs_on_a_loop_that_has_sendfile(folder: Path) -> None:
    """uvloop has none; that it is used: tests/integration/registry/test_sending.py."""
    with running.up(folder / "data", "--workers", "1") as house:
        processes = running.descendants(house.process.pid)
        (api,) = (pid for pid in processes if b"\0api\0" in command_line(pid))
        (worker,) = (pid for pid in processes if b"\0worker\0" in command_line(pid))
        assert "uvloop" not in Path(f"/proc/{api}/maps").read_text()
        assert "uvloop" in Path(f"/proc/{worker}/maps").read_text()


def apis_within(house: running.Up, count: int, *, without: int = 0) -> set[int]:
    """Return the API processes once `count` of them listen."""
    give_up = time.monotonic() + running.DEADLINE_SECONDS
    while time.monotonic() < give_up:
        found = {
            pid
            for pid in running.descendants(house.process.pid) - {without}
            if b"\0api\0" in command_line(pid) and listens_at(pid)
        }
        if len(found) == count:
            return found
    raise AssertionError(f"{count} API processes did not listen in time")


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it ended meanwhile
        return b""


def listens_at(pid: int) -> str | None:
    """Return the address of the TCP socket on which a process listens."""
    try:
        inodes = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
        lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    except OSError:
        return None
    listening = (line.split() for line in lines if line.split()[3] == "0A")
    return next((row[1] for row in listening if f"socket:[{row[9]}]" in inodes), None)


def test_two_run_side_by_side_and_one_folder_belongs_to_one(folder: Path) -> None:
    with running.up(folder / "a") as first, running.up(folder / "b") as second:
        assert first.url != second.url
        assert first.password != second.password
        third = subprocess.run(
            running.transship("up", "--data", str(folder / "a"), "--listen", "127.0.0.1:0"),
            env=running.surroundings(),
            capture_output=True,
            text=True,
            check=False,
            timeout=running.DEADLINE_SECONDS,
        )
        assert third.returncode == 1
        assert f"process {first.process.pid}" in third.stderr


def test_what_a_killed_one_leaves_is_taken_up_by_the_next(folder: Path) -> None:
    with running.up(folder / "data") as first:
        first.command("project", "create", "kept")
        first.process.kill()
        first.process.wait()
    with running.up(folder / "data") as second:
        listed = json.loads(second.command("project", "list", "--json").stdout)
        assert "kept" in [project["name"] for project in listed]


def test_a_child_that_is_killed_comes_back_at_the_same_address(folder: Path) -> None:
    with running.up(folder / "data", "--workers", "0") as up:
        children = running.descendants(up.process.pid)
        [api] = [pid for pid in children if b"\0api\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        process.send(api, signal.SIGKILL)
        until_it_answers(up)


def until_it_answers(up: running.Up) -> None:
    """Ask until the deadline; each question takes its time as a process of its own."""
    deadline = time.monotonic() + running.DEADLINE_SECONDS
    while up.command("project", "list", "--json", check=False).returncode != 0:
        assert time.monotonic() < deadline, "the API did not come back"


def test_secrets_are_for_their_owner_only(folder: Path) -> None:
    with running.up(folder / "data") as up:
        for name in ("key", "admin-password", "postgres/password"):
            assert (up.data / name).stat().st_mode & 0o077 == 0
        assert up.data.stat().st_mode & 0o077 == 0
    with running.up(folder / "data") as again:
        assert again.command("project", "list").returncode == 0


def test_a_new_key_comes_in_and_the_old_one_goes(folder: Path) -> None:
    key = folder / "data" / "key"
    with running.up(folder / "data") as first:
        first.command("project", "create", "kept")
        assert "start it" in rotate(folder / "elsewhere", code=1).stderr
    old, new = key.read_text().strip(), sealing.generate_key()
    key.write_text(f"{new}\n{old}\n")
    with running.up(folder / "data"):
        told = json.loads(rotate(folder / "data", code=0).stdout)
        assert told == {"secrets": 0, "resealed": 0}
    key.write_text(old)
    with pytest.raises(AssertionError, match="`up` said ''"), running.up(folder / "data"):
        pass
    key.write_text(new)
    with running.up(folder / "data") as last:
        assert "kept" in last.command("project", "list", "--json").stdout


def rotate(data: Path, *, code: int) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        running.transship("secrets", "rotate", "--json", "--data", str(data)),
        env=running.surroundings(),
        capture_output=True,
        text=True,
        check=False,
        timeout=running.DEADLINE_SECONDS,
    )
    assert ended.returncode == code, ended.stderr
    return ended


def test_a_listener_for_others_wants_a_word(folder: Path) -> None:
    refused = subprocess.run(
        running.transship("up", "--data", str(folder / "data"), "--listen", "0.0.0.0:0"),
        env=running.surroundings(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert "--insecure-http" in refused.stderr
    assert not (folder / "data").exists()


def test_login_remembers_and_a_wrong_password_is_told(folder: Path) -> None:
    with running.up(folder / "data", "--workers", "0") as up:
        wrong = up.command("login", up.url, "--password-stdin", stdin="wrong\n", check=False)
        assert wrong.returncode == 4
        assert up.url in wrong.stderr
        up.command("login", up.url, "--password-stdin", stdin=f"{up.password}\n")
        assert (up.data / "contexts.json").stat().st_mode & 0o077 == 0
