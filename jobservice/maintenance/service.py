"""A background service: something done again and again until the process ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from database.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """`tick` runs every `seconds`, or when `wake` is set. What it raises is logged, never fatal.

    `channel` names the notifications of Postgres that set `wake`, if there are any.
    """

    name: str
    seconds: float
    tick: Callable[[], Awaitable[None]]
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    channel: str = ""


async def run(service: Service, stop: asyncio.Event) -> None:
    """Run a service until `stop` is set; a tick under way ends first."""
    while not stop.is_set():
        service.wake.clear()
        try:
            await service.tick()
        except DatabaseUnavailable as error:
            # Known weather: a sentence, not a traceback from each service.
            log.warning("service_waits", service=service.name, reason=str(error))
        except Exception:
            log.exception("service_failed", service=service.name)
        await wait(service.seconds, service.wake, stop)


async def wait(seconds: float, *events: asyncio.Event) -> None:
    """Return when one of the events is set, or after some seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            waiters: list[asyncio.Task[object]] = []

            async def wait_for(event: asyncio.Event) -> None:
                await event.wait()
                for waiter in waiters:
                    waiter.cancel()

            waiters += [group.create_task(wait_for(event)) for event in events]
