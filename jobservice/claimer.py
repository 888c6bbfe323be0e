"""The one who claims for a worker process: what waits goes to Postgres in one statement."""

from __future__ import annotations

from collections.abc import Sequence

from database.pool import Database
from jobservice.domain.task import Claimed
from jobservice.gathering import Gatherer
from jobservice.store import claiming
from jobservice.store.claiming import Claimant


class Claimer:
    """Claims deliveries; `run` must run meanwhile."""

    def __init__(self, database: Database, claimant: Claimant) -> None:
        self.claimant = claimant
        self._database = database
        self._gatherer = Gatherer(self._turn)

    async def run(self) -> None:
        """Claim until cancelled."""
        await self._gatherer.run()

    async def claim(self, task_id: int, delivery: int) -> Claimed | None:
        """Take a queued task; None if it is not ours to take. Raise what Postgres raised."""
        return await self._gatherer.hand_in((task_id, delivery))

    async def _turn(self, deliveries: Sequence[tuple[int, int]]) -> list[Claimed | None]:
        async with self._database.connection() as connection:
            claimed = await claiming.claim(connection, self.claimant, deliveries)
        ours = {(task.id, task.delivery): task for task in claimed}
        # Whoever is asked twice for the same delivery runs it once.
        return [ours.pop(delivery, None) for delivery in deliveries]
