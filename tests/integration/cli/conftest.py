import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.registry.server import FakeRegistry

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """What `--json` printed."""
        return [json.loads(line) for line in self.out.splitlines()]


class Transship:
    """Runs the program as a user would, with a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment: dict[str, str] = {
            "PATH": os.environ["PATH"],  # noqa: TID251 - the programs under test are found by it
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "PYTHONPATH": str(ROOT),
        }

    async def __call__(self, *arguments: str | Path, **environment: str) -> Ended:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "jobservice.cli.main", *map(str, arguments)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**self.environment, **environment},
            cwd=self.home,
        )
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        return Ended(code=process.returncode or 0, out=out.decode(), err=err.decode())

    def log_in(self, auths: Mapping[str, Any]) -> None:
        """Write docker's credential file."""
        (self.home / ".docker").mkdir(exist_ok=True)
        (self.home / ".docker/config.json").write_text(json.dumps({"auths": auths}))


@pytest.fixture
def transship(tmp_path: Path) -> Transship:
    home = tmp_path / "home"
    home.mkdir()
    return Transship(home)


@pytest.fixture
async def source() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as registry:
        yield registry


@pytest.fixture
async def destination() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as registry:
        yield registry
