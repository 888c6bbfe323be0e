"""Child processes that run until told otherwise: started again when they die, ended politely."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from jobservice.supervisor import process

SHORTEST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 30.0
# Whoever ran this long was well; the next death starts with the shortest delay again.
WELL_AFTER_SECONDS = 60.0
# Workers hand their tasks back within 20 s of a SIGTERM.
STOP_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Stop:
    """A wish to end: `asked` politely, and `hurried` by a second signal."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    hurried: asyncio.Event = field(default_factory=asyncio.Event)

    def signalled(self) -> None:
        """Take note of a signal; the second one hurries."""
        (self.hurried if self.asked.is_set() else self.asked).set()

    async def within(self, seconds: float) -> bool:
        """Wait for the wish; False when it did not come in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.asked.wait()
        return self.asked.is_set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A program to keep alive. Each line it writes to standard output goes to `on_line`."""

    name: str
    program: Sequence[str]
    environment: Callable[[], Mapping[str, str]]
    death_signal: signal.Signals
    on_line: Callable[[str], None]
    # Set to have it told by a SIGHUP that its files have changed.
    reload: asyncio.Event = field(default_factory=asyncio.Event)


async def keep(child: Child, stop: Stop, *, tell: Callable[[str], None]) -> None:
    """Run the child, again and again with a growing delay, until stopped and ended."""
    delay = SHORTEST_DELAY_SECONDS
    while not stop.asked.is_set():
        started = time.monotonic()
        code = await run_once(child, stop)
        if stop.asked.is_set():
            return
        if time.monotonic() - started > WELL_AFTER_SECONDS:
            delay = SHORTEST_DELAY_SECONDS
        tell(f"{child.name} ended {_how(code)}; it starts again in {delay:.1f} s")
        await stop.within(delay)
        delay = min(delay * 2, LONGEST_DELAY_SECONDS)


async def run_once(child: Child, stop: Stop) -> int:
    """Run the child to its end and return its code; negative is minus the signal's number."""
    running = await asyncio.create_subprocess_exec(
        *process.command(child.program, death_signal=child.death_signal),
        stdin=DEVNULL,
        stdout=PIPE,
        env=dict(child.environment()),
        start_new_session=True,
    )
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_read_lines(running, child.on_line))
            ending = group.create_task(_end_when_asked(running, stop))
            reloading = group.create_task(_reload_when_asked(running, child.reload))
            code = await running.wait()
            ending.cancel()
            reloading.cancel()
            return code
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


async def _read_lines(running: Process, on_line: Callable[[str], None]) -> None:
    if running.stdout is None:
        return
    async for line in running.stdout:
        on_line(line.decode(errors="replace").rstrip("\n"))


async def _reload_when_asked(running: Process, asked: asyncio.Event) -> None:
    while True:
        await asked.wait()
        asked.clear()
        running.send_signal(signal.SIGHUP)


async def _end_when_asked(running: Process, stop: Stop) -> None:
    await stop.asked.wait()
    running.terminate()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_TIMEOUT_SECONDS):
            await stop.hurried.wait()
    running.kill()


def _how(code: int) -> str:
    if code < 0:
        return f"by {signal.Signals(-code).name}"
    return f"with code {code}"
