"""Programs that the demo starts and stops: never found by name, always by the process it made."""

from __future__ import annotations

import asyncio
import re
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from jobservice.demo.errors import DemoFailed
from jobservice.supervisor import process

PID_FILE = "pid"
_START_SECONDS = 120
_STOP_SECONDS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run, where its words go, and the line in which it says where it listens (group 1)."""

    command: Sequence[str | Path]
    announces: re.Pattern[str]
    log: Path
    environment: Mapping[str, str]


@asynccontextmanager
async def running(program: Program, *, keep: bool = False) -> AsyncGenerator[str]:
    """Run a program and yield what it announces; it ends with SIGTERM when the context does.

    It dies with us, too. `keep` leaves it running, unless the context ends with an error. Raises
    DemoFailed with the end of its log when it does not come up.
    """
    with program.log.open("wb") as output:
        child = await asyncio.create_subprocess_exec(
            *process.command(program.command, death_signal=None if keep else signal.SIGTERM),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**process.ENVIRONMENT, **program.environment},
            cwd=program.log.parent,
            start_new_session=True,
        )
    program.log.with_name(PID_FILE).write_text(str(child.pid))
    try:
        yield await _announcement(program, child)
    except BaseException:
        await _stop(child)
        raise
    if not keep:
        await _stop(child)


async def _announcement(program: Program, child: Process) -> str:
    try:
        async with asyncio.timeout(_START_SECONDS):
            while child.returncode is None:
                found = program.announces.search(program.log.read_text(errors="replace"))
                if found:
                    return found[1]
                await asyncio.sleep(0.05)
    except TimeoutError:
        pass
    name = Path(program.command[0]).name
    raise DemoFailed(f"{name} did not come up; {process.last_words(program.log)}")


async def _stop(child: Process) -> None:
    """Ask it to end and wait; it has time for that, but not for ever."""
    if child.returncode is None:
        child.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()
