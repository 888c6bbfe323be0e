"""The built wheel does the main job outside the clone, as root and as an ordinary user."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance import running
from tests.architecture import sources

ORDINARY_USER = 65534
DEMO_SECONDS = 240
ROOMS = {*sources.PACKAGES}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Outside the clone, and passable for everybody: /root is not."""
    with tempfile.TemporaryDirectory(prefix="transship wheel ") as path:
        Path(path).chmod(0o755)
        yield Path(path)


@pytest.fixture(scope="module")
def wheel(folder: Path) -> Path:
    tree = folder / "sources"
    shutil.copytree(
        sources.ROOT,
        tree,
        ignore=shutil.ignore_patterns(".git", ".venv", ".cache", "build", "dist", "*.egg-info"),
    )
    build = "import setuptools.build_meta as backend, sys; print(backend.build_wheel(sys.argv[1]))"
    program = [sys.executable, "-c", build, str(folder)]
    subprocess.run(program, cwd=tree, check=True, capture_output=True)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, folder: Path) -> Path:
    """The program in an environment of its own; its libraries are those of this one."""
    home = folder / "environment"
    # The system's interpreter where there is one: pyenv's below /root is not for everybody.
    system = Path("/usr/bin/python3")
    python = str(system) if system.exists() and os.geteuid() == 0 else sys.executable
    subprocess.run([python, "-m", "venv", str(home)], check=True)
    [libraries] = home.glob("lib/python3*/site-packages")
    pip = [str(home / "bin/python"), "-m", "pip", "install", "--quiet"]
    requirements = str(sources.ROOT / "requirements/run.txt")
    subprocess.run([*pip, "--require-hashes", "-r", requirements], check=True)
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True)
    assert libraries.stat().st_mode & stat.S_IROTH
    return home / "bin/transship"


def test_the_wheel_holds_the_product_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == ROOMS
    assert {"config/default.toml", "config/examples/mirror.yaml"} <= {*names}
    assert any(name.startswith("database/migrations/") and name.endswith(".sql") for name in names)


def demo(program: Path, work: Path, uid: int) -> None:
    work.mkdir()
    other = uid != os.geteuid()
    if other:
        os.chown(work, uid, uid)
    environment = {
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": str(work),
        "TMPDIR": str(work),
        "XDG_DATA_HOME": str(work / "share"),
    }
    ended = subprocess.run(
        [str(program), "demo"],
        cwd=work,
        env=environment,
        user=uid if other else None,
        group=uid if other else None,
        extra_groups=[] if other else None,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEMO_SECONDS,
    )
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"


@pytest.mark.timeout(DEMO_SECONDS * 2)
def test_the_demo_runs_from_the_wheel(installed: Path, folder: Path) -> None:
    demo(installed, folder / "as ourselves", os.geteuid())


@pytest.mark.timeout(DEMO_SECONDS * 2)
@pytest.mark.skipif(os.geteuid() != 0, reason="the test above is an ordinary user's already")
def test_the_demo_runs_from_the_wheel_as_an_ordinary_user(installed: Path, folder: Path) -> None:
    demo(installed, folder / "as nobody", ORDINARY_USER)


def test_the_wheel_starts_without_its_sources(installed: Path, folder: Path) -> None:
    told = subprocess.run(
        [str(installed), "--version"], cwd=folder, env=running.surroundings(), check=True
    )
    assert told.returncode == 0
