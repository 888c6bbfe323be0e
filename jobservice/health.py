"""Whether the parts of this installation work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

# With the second that api/exchange.py takes to find out who asks, an answer is there within three.
PROBE_SECONDS = 2.0

Probe = Callable[[], Awaitable[None]]


class Unhealthy(Exception):
    """A part does not work; the text is shown to anybody and names no addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One part, and what is wrong with it; nothing when it works."""

    component: str
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The parts and how each is tried."""

    probes: Mapping[str, Probe]
    patience_seconds: float = PROBE_SECONDS

    async def check(self) -> tuple[Finding, ...]:
        """Try all parts at once; a part has `patience_seconds` to answer."""
        async with asyncio.TaskGroup() as group:
            tries = [group.create_task(self.check_one(name)) for name in self.probes]
        return tuple(done.result() for done in tries)

    async def check_one(self, component: str) -> Finding:
        """Try one part."""
        try:
            async with asyncio.timeout(self.patience_seconds):
                await self.probes[component]()
        except Unhealthy as problem:
            return Finding(component=component, problem=str(problem))
        except TimeoutError:
            problem_text = f"it did not answer within {self.patience_seconds:g} seconds"
            return Finding(component=component, problem=problem_text)
        return Finding(component=component)
