"""What `copy` and `sync` share: the loop, the way out, the display, and how they end."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from config import environment
from jobservice.cli import exit_codes
from jobservice.cli.display import Display
from jobservice.cli.errors import CommandError
from jobservice.cli.exit_codes import ExitCode
from jobservice.cli.fleet import EXPECTED, Fleet
from protocol.surroundings import Surroundings
from protocol.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Voyage:
    """What the work of a one-shot command is given."""

    transport: Transport
    display: Display
    fleet: Fleet
    stack: AsyncExitStack


def run(work: Callable[[Voyage], Awaitable[None]], *, display: Display, at_once: int) -> ExitCode:
    """Do the work in an event loop of its own, show how it ended, return the exit code.

    Raise CommandError for what ended all of it.
    """
    import uvloop  # noqa: PLC0415 - the commands that do not copy start without it

    fleet = Fleet(display, at_once=at_once)
    started = monotonic()
    try:
        with display, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_voyage(work, display, fleet))
    except EXPECTED as error:
        raise CommandError(str(error), code=exit_codes.of(error)) from error
    finally:
        fleet.totals.seconds = monotonic() - started
        if fleet.totals.seen:
            display.summary(fleet.totals)
    if fleet.first_error is None:
        return ExitCode.OK
    return exit_codes.of(fleet.first_error) if fleet.totals.seen == 1 else ExitCode.FAILED


async def _voyage(
    work: Callable[[Voyage], Awaitable[None]], display: Display, fleet: Fleet
) -> None:
    surroundings = Surroundings.of(environment.read(), home=Path.home(), user_id=os.getuid())
    try:
        async with Transport(surroundings) as transport, AsyncExitStack() as stack:
            await work(Voyage(transport=transport, display=display, fleet=fleet, stack=stack))
    except BaseExceptionGroup as failures:
        raise _first(failures) from None


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what went wrong first: one sentence is shown, not a tree."""
    error = failures.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def display(*, as_json: bool) -> Display:
    """Choose how to show: JSON if asked for, bars on a terminal, else plain lines."""
    if as_json:
        from jobservice.cli.displays.machine import Machine  # noqa: PLC0415 - one display is loaded

        return Machine()
    if sys.stdout.isatty():
        from jobservice.cli.displays.bars import Bars  # noqa: PLC0415 - rich takes 0.1 s to load

        return Bars()
    from jobservice.cli.displays.lines import Lines  # noqa: PLC0415 - one display is loaded

    return Lines()
