"""Carries out the errands of a one-shot command, several at once, and counts how they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from jobservice.cli.display import Display
from jobservice.cli.errand import Errand
from jobservice.cli.totals import Totals
from protocol.errors import ProtocolError
from replication.errors import ReplicationError
from replication.transfer import TransferReport

# What can go wrong with one artifact without ending the others.
EXPECTED: Final = (ReplicationError, ProtocolError, OSError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An errand with the way to carry it out."""

    errand: Errand
    carry: Callable[[], Awaitable[TransferReport]]


class Fleet:
    """Holds the counts of a command; `first_error` decides its exit code."""

    def __init__(self, display: Display, *, at_once: int) -> None:
        self.totals = Totals()
        self.first_error: Exception | None = None
        self._display = display
        self._slots = asyncio.Semaphore(at_once)

    async def run(self, jobs: AsyncIterator[Job]) -> None:
        """Carry out all jobs; what fails is shown and counted, the others go on."""
        async with asyncio.TaskGroup() as group:
            async for job in jobs:
                self._display.expected(1)
                await self._slots.acquire()
                group.create_task(self._one(job))

    def fail(self, errand: Errand, error: Exception) -> None:
        """Show and count an artifact that failed."""
        self.first_error = self.first_error or error
        self.totals.failed += 1
        self._display.failed(errand, error)

    async def _one(self, job: Job) -> None:
        try:
            report = await job.carry()
        except EXPECTED as error:
            self.fail(job.errand, error)
        else:
            self.totals.add(report)
            self._display.ended(job.errand, report)
        finally:
            self._slots.release()
