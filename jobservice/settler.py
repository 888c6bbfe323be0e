"""The one who settles for a worker process: what waits is written in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from database.pool import Connection, Database
from jobservice.domain import counting
from jobservice.domain.settlement import Settlement
from jobservice.gathering import Gatherer
from jobservice.store import counters, limits, logs, settling


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A try that has ended, with what its log still holds."""

    settlement: Settlement
    chunks: Sequence[logs.Chunk] = ()


class Settler:
    """Settles claimed tasks; `run` must run meanwhile."""

    def __init__(self, database: Database, *, worker_id: int = 0) -> None:
        self._database = database
        self._worker_id = worker_id
        self._lost = 0
        self._gatherer = Gatherer(self._turn)

    async def run(self) -> None:
        """Settle until cancelled."""
        await self._gatherer.run()

    async def settle(self, ended: Ended) -> bool:
        """Write how a try ended; False, and nothing is written, if the task is no longer ours.

        Raise what Postgres raised.
        """
        return await self._gatherer.hand_in(ended)

    def lose(self) -> None:
        """Note that a try found its task to be another worker's; counted with the next turn."""
        self._lost += 1

    async def _turn(self, turn: Sequence[Ended]) -> list[bool]:
        lost = self._lost
        ours = await self._database.run(lambda connection: self._write(connection, turn, lost))
        self._lost -= lost
        return [ended.settlement.key in ours for ended in turn]

    async def _write(
        self, connection: Connection, turn: Sequence[Ended], lost: int
    ) -> frozenset[tuple[int, int]]:
        """Everything that is told about tries that ended, in one transaction."""
        await logs.append(connection, [chunk for ended in turn for chunk in ended.chunks])
        ours = await settling.settle(connection, [ended.settlement for ended in turn])
        settled = [ended.settlement for ended in turn if ended.settlement.key in ours]
        await _postpone(connection, settled)
        counted = counting.counts(settled, lost=lost + len(turn) - len(settled))
        await counters.add(connection, self._worker_id, counted)
        return ours


async def _postpone(connection: Connection, settled: Sequence[Settlement]) -> None:
    """Let everything wait that talks to registries which asked for a pause, in the locks' order."""
    asked = {
        one.endpoint_id: one
        for one in sorted(settled, key=lambda one: one.delay_seconds)
        if one.endpoint_id is not None
    }
    for endpoint_id in sorted(asked):
        one = asked[endpoint_id]
        because = one.error.message if one.error else one.reason
        await limits.postpone(connection, endpoint_id, one.delay_seconds, because)
