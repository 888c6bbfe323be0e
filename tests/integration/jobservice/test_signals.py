"""The first signal asks, the second one ends."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

DEADLINE_SECONDS = 20
PROGRAM = """
import asyncio, sys, time
import uvloop
from jobservice import signals

async def main():
    told = signals.stop_requested()
    print("ready", flush=True)
    await told.wait()
    print("asked", flush=True)
    if sys.argv[2] == "hang":
        time.sleep(60)

{"asyncio": asyncio.run, "uvloop": uvloop.run}[sys.argv[1]](main())
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_even_a_loop_that_hangs(loop: str, second: signal.Signals) -> None:
    with started(loop, "hang") as process:
        process.send_signal(signal.SIGTERM)
        assert said(process) == "asked"
        process.send_signal(second)
        assert process.wait(DEADLINE_SECONDS) == -second


def test_one_signal_lets_the_process_end_by_itself() -> None:
    with started("asyncio", "end") as process:
        process.send_signal(signal.SIGINT)
        assert said(process) == "asked"
        assert process.wait(DEADLINE_SECONDS) == 0


def started(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert said(process) == "ready"
    return process


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
