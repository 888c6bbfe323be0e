"""Write what running tasks say: their logs and their progress, once a second for all of them."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic

from database.pool import Connection, Database
from jobservice.domain import pace
from jobservice.domain.pace import Measured
from jobservice.domain.task import Progress
from jobservice.holding import Holdings
from jobservice.store import logs, progress
from jobservice.store.progress import Reading

FLUSH_SECONDS = 1.0


class Flusher:
    """Writes logs and progress of everything held; `tick` does it once."""

    def __init__(self, database: Database, holdings: Holdings) -> None:
        self._database = database
        self._holdings = holdings
        self._unsent: list[logs.Chunk] = []
        self._written: dict[tuple[int, int], Progress] = {}
        self._measured: dict[tuple[int, int], tuple[Measured, ...]] = {}

    async def tick(self) -> None:
        """Write what is new since the last tick."""
        readings = [
            self._paced(reading)
            for reading in self._holdings.readings()
            if reading.progress != self._written.get((reading.task_id, reading.fence), Progress())
        ]
        self._unsent += [chunk for holding in self._holdings for chunk in holding.log.take()]
        if not readings and not self._unsent:
            return

        async def write(connection: Connection) -> None:
            await progress.write(connection, readings)
            await logs.append(connection, self._unsent)

        await self._database.run(write)
        self._unsent.clear()
        held = set(self._holdings.keys())
        self._written = {key: seen for key, seen in self._written.items() if key in held}
        self._measured = {key: seen for key, seen in self._measured.items() if key in held}
        self._written |= {
            (one.task_id, one.fence): replace(one.progress, bytes_per_second=None)
            for one in readings
        }

    def _paced(self, reading: Reading) -> Reading:
        """Add the rate of the last seconds to a reading."""
        key, now = (reading.task_id, reading.fence), monotonic()
        known = (
            *self._measured.get(key, ()),
            Measured(at_seconds=now, bytes_done=reading.progress.bytes_done),
        )
        self._measured[key] = pace.kept(known, now)
        rate = pace.bytes_per_second(self._measured[key])
        return replace(reading, progress=replace(reading.progress, bytes_per_second=rate))
