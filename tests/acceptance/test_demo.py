"""`transship demo` as somebody who has just installed it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib import request
from urllib.error import URLError

import pytest

from config import environment
from jobservice.supervisor import process
from tests.acceptance import running
from tests.acceptance.house import House

DEMO = (sys.executable, "-m", "jobservice.cli.main", "demo")
DEADLINE_SECONDS = 180


def surroundings(folder: Path) -> dict[str, str]:
    return {"PATH": environment.read()["PATH"], "TMPDIR": str(folder), "HOME": str(folder)}


def play(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DEMO, *options],
        env=surroundings(folder),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


@pytest.mark.parametrize("upstream", ["auto", "transship"])
def test_it_keeps_its_promises_and_leaves_nothing(short_folder: Path, upstream: str) -> None:
    for _ in range(2):
        played = play(short_folder, "--upstream", upstream, "--json")
        assert played.returncode == 0, played.stderr
        steps = {step["step"]: step for step in json.loads(played.stdout)}
        first, again = steps["mirror in"], steps["mirror in, again"]
        assert first["artifacts"] == 3
        assert first["bytes"] > 500_000
        assert again["bytes"] == 0
        assert again["bytes_saved"] > first["bytes"]
        assert 0 < steps["mirror in, changed"]["bytes"] < 2000
        assert [path.name for path in short_folder.iterdir() if "demo" in path.name] == []


def test_it_runs_beside_another_house(house: House, short_folder: Path) -> None:
    assert house.url
    played = play(short_folder)
    assert played.returncode == 0, played.stderr
    assert "all equal" in played.stdout


def test_it_can_be_ended_in_the_middle(short_folder: Path) -> None:
    with subprocess.Popen(
        DEMO, env=surroundings(short_folder), stderr=subprocess.PIPE, text=True, cwd=short_folder
    ) as played:
        assert played.stderr is not None
        for line in played.stderr:
            if line.startswith("mirror in"):
                break
        everything = running.descendants(played.pid)
        played.send_signal(signal.SIGTERM)
        assert played.wait(DEADLINE_SECONDS) == 130
    deadline = time.monotonic() + 30
    while any(process.exists(pid) for pid in everything):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert [path.name for path in short_folder.iterdir() if "demo" in path.name] == []


def test_a_kept_demo_can_be_looked_at(short_folder: Path) -> None:
    played = play(short_folder, "--keep")
    assert played.returncode == 0, played.stderr
    url = played.stderr.partition("this registry: ")[2].split()[0]
    (folder,) = [path for path in short_folder.iterdir() if "demo" in path.name]
    try:
        with request.urlopen(f"{url}/api/v2.0/ping", timeout=10) as answer:  # noqa: S310 - our own http address
            assert answer.status == 200
        assert (folder / "layouts" / "demo" / "web" / "index.json").exists()
    finally:
        pids = [int(file.read_text()) for file in folder.glob("*/pid")]
        assert f"kill {' '.join(sorted(map(str, pids)))}" in played.stderr
        for pid in pids:
            process.Process(pid).stop(signal.SIGTERM, timeout_seconds=60)
        with pytest.raises(URLError):
            request.urlopen(f"{url}/api/v2.0/ping", timeout=10)  # noqa: S310 - our own http address
