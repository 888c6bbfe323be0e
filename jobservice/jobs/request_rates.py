"""What registries may be asked a second, as operators have it now: a change needs no restart."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import Final

import structlog

from database.pool import Database
from jobservice.coordination import Rate, RateLimits
from jobservice.store import limits as limits_store
from jobservice.store import workers as workers_store
from jobservice.store.failures import POSTGRES_FAILURES

KEPT_SECONDS: Final = 3.0
PATIENCE_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class RequestRates:
    """The rates that hold in this process, at most `kept_seconds` old while they are asked for."""

    def __init__(
        self, database: Database, limits: RateLimits, *, kept_seconds: float = KEPT_SECONDS
    ) -> None:
        self.limits = limits
        self.kept_seconds = kept_seconds
        self._database = database
        self._known: Mapping[int, float] = {}
        self._workers = 1
        self._good_until = 0.0
        self._reading = asyncio.Lock()
        self._gates: dict[int, RateGate] = {}

    async def gate(self, endpoint_id: int) -> RateGate:
        """Return the gate that all requests of this process to a registry go through."""
        await self._read()
        if endpoint_id not in self._gates:
            self._gates[endpoint_id] = RateGate(self, endpoint_id)
        return self._gates[endpoint_id]

    async def of(self, endpoint_id: int) -> Rate | None:
        """Return a registry's rate; None where it has none."""
        if monotonic() >= self._good_until and not self._reading.locked():
            async with self._reading:
                await self._read_patiently()
        per_second = self._known.get(endpoint_id)
        if per_second is None:
            return None
        return Rate(per_second=per_second, workers=self._workers)

    async def _read_patiently(self) -> None:
        """Read again; what was known stands while Postgres does not answer."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._read()
        except (*POSTGRES_FAILURES, TimeoutError) as error:
            log.warning("rates_not_read", reason=str(error) or "no answer in time")
            self._good_until = monotonic() + self.kept_seconds

    async def _read(self) -> None:
        async with self._database.connection() as connection:
            self._known = await limits_store.rates(connection)
            if self._known:
                self._workers = await workers_store.count_alive(connection)
        self._good_until = monotonic() + self.kept_seconds


class RateGate:
    """One registry's gate; implements protocol.gate.Gate. Who came first goes first."""

    def __init__(self, rates: RequestRates, endpoint_id: int) -> None:
        self._rates = rates
        self._endpoint_id = endpoint_id
        self._turn = asyncio.Lock()

    async def admit(self) -> None:
        """Return when one more request may be sent; who is cancelled has taken nothing."""
        if await self._rates.of(self._endpoint_id) is None:
            return
        async with self._turn:
            while (rate := await self._rates.of(self._endpoint_id)) is not None:
                pause = await self._rates.limits.take(self._endpoint_id, rate)
                if pause <= 0:
                    return
                # No longer than a rate is taken for granted: it may be another one by then.
                await asyncio.sleep(min(pause, self._rates.kept_seconds))
