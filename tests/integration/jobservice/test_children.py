"""Children that die are started again; children that are told to end do."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

from jobservice.supervisor import children, process
from jobservice.supervisor.children import Child, Stop

DEADLINE_SECONDS = 20
SPEAKS_AND_WAITS = "import os, signal; print(os.getpid(), flush=True); signal.pause()"
IGNORES_SIGTERM = f"import signal; signal.signal(15, signal.SIG_IGN)\n{SPEAKS_AND_WAITS}"
# Starts a child that dies with it, says the child's pid, and waits for its own end.
PARENT = f"""
import signal, subprocess, sys
from jobservice.supervisor import process
program = process.command([sys.executable, "-c", {SPEAKS_AND_WAITS!r}], death_signal=signal.SIGTERM)
child = subprocess.Popen(program)
signal.pause()
"""


def child(code: str, heard: asyncio.Queue[int]) -> Child:
    return Child(
        name="the child",
        program=[sys.executable, "-c", code],
        environment=lambda: process.ENVIRONMENT,
        death_signal=signal.SIGTERM,
        on_line=lambda line: heard.put_nowait(int(line)),
    )


async def test_a_child_that_dies_is_started_again_and_told_about() -> None:
    stop, heard, told = Stop(), asyncio.Queue[int](), list[str]()
    async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(children.keep(child(SPEAKS_AND_WAITS, heard), stop, tell=told.append))
        first = await heard.get()
        process.send(first, signal.SIGKILL)
        second = await heard.get()
        stop.signalled()
    assert first != second
    assert not process.exists(second)
    assert told == ["the child ended by SIGKILL; it starts again in 0.2 s"]


async def test_a_second_signal_does_not_wait_for_a_child_that_ignores_the_first() -> None:
    stop, heard = Stop(), asyncio.Queue[int]()
    async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as group:
        kept = child(IGNORES_SIGTERM, heard)
        group.create_task(children.keep(kept, stop, tell=lambda _: None))
        pid = await heard.get()
        stop.signalled()
        assert process.exists(pid)
        stop.signalled()
    assert not process.exists(pid)


async def test_a_cancelled_supervisor_leaves_no_child() -> None:
    stop, heard = Stop(), asyncio.Queue[int]()
    async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as group:
        kept = child(SPEAKS_AND_WAITS, heard)
        running = group.create_task(children.keep(kept, stop, tell=lambda _: None))
        pid = await heard.get()
        running.cancel()
    assert not process.exists(pid)


def test_a_child_dies_with_its_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert int(parent.stdout.readline()) != parent.pid
    parent.kill()
    # The child holds the other end of the pipe: end of file is its death.
    assert parent.stdout.read() == ""
    parent.stdout.close()
    parent.wait()
