"""Who holds an upload: whoever locked its partial, or else whoever has the lease in its row.

A lease is renewed while its holder lives. What a holder writes is guarded by its token, so one
whose lease ran out changes nothing; it also stops by itself, by the monotonic clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final

import structlog

from database.errors import DatabaseUnavailable
from database.pool import Database
from registry.errors import StorageBusy
from registry.metadata import uploads

LEASE_SECONDS: Final = 30.0
RENEW_SECONDS: Final = 5.0
SPARE_SECONDS: Final = 10.0  # what a write may still take after it was allowed
LOST: Final = "this request lost its hold on the upload; ask where it stands"

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Lease:
    """A right to write to one upload; it ends by itself."""

    database: Database
    upload_id: uuid.UUID
    token: uuid.UUID = field(default_factory=uuid.uuid4)
    until: float = 0.0
    _ends: asyncio.Timeout | None = None

    def check(self) -> None:
        """Return while the lease holds with time to spare; raise StorageBusy."""
        if time.monotonic() > self.until - SPARE_SECONDS:
            raise StorageBusy(LOST)

    @contextlib.asynccontextmanager
    async def within(self) -> AsyncIterator[None]:
        """Cut off what is inside when the lease ends: a write that is tried on must not outlive it.

        Raise StorageBusy.
        """
        self.check()
        try:
            async with asyncio.timeout_at(self._end()) as self._ends:
                yield
        except TimeoutError as error:
            raise StorageBusy(LOST) from error
        finally:
            self._ends = None

    def _end(self) -> float:
        """Return when writing has to end, by the loop's clock."""
        left = self.until - SPARE_SECONDS - time.monotonic()
        return asyncio.get_running_loop().time() + left

    async def keep(self) -> None:
        """Renew until cancelled, or until somebody else has it."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            began = time.monotonic()
            try:
                async with self.database.connection() as connection:
                    held = await uploads.renew(
                        connection, self.upload_id, token=self.token, seconds=LEASE_SECONDS
                    )
            except DatabaseUnavailable as error:
                log.warning("upload_lease_waits", upload=str(self.upload_id), reason=str(error))
                continue
            if not held:
                return
            self.until = began + LEASE_SECONDS
            if self._ends is not None and not self._ends.expired():
                self._ends.reschedule(self._end())

    async def release(self) -> None:
        """Let go; without Postgres the lease ends by itself, and what was done stays done."""
        try:
            async with self.database.connection() as connection:
                await uploads.release(connection, self.upload_id, token=self.token)
        except DatabaseUnavailable as error:
            log.warning("upload_lease_waits", upload=str(self.upload_id), reason=str(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """An upload's row, and the lease on it where there is one."""

    row: uploads.Upload | None
    lease: Lease | None = None

    @property
    def token(self) -> uuid.UUID | None:
        """What guards the row."""
        return self.lease.token if self.lease else None

    def check(self) -> None:
        """Return while it is held; raise StorageBusy."""
        if self.lease is not None:
            self.lease.check()

    def within(self) -> AbstractAsyncContextManager[None]:
        """Cut off what is inside when it is no longer held; raise StorageBusy."""
        return self.lease.within() if self.lease is not None else contextlib.nullcontext()


@contextlib.asynccontextmanager
async def locked(database: Database, upload_id: uuid.UUID, repository: str) -> AsyncIterator[Hold]:
    """Hold an upload whose partial the caller has open and locked."""
    async with database.connection() as connection:
        row = await uploads.get(connection, upload_id, repository=repository)
    yield Hold(row=row)


@contextlib.asynccontextmanager
async def leased(database: Database, upload_id: uuid.UUID, repository: str) -> AsyncIterator[Hold]:
    """Hold an upload by a lease; raise StorageBusy."""
    lease = Lease(database=database, upload_id=upload_id)
    lease.until = time.monotonic() + LEASE_SECONDS
    async with database.connection() as connection:
        row = await uploads.claim(
            connection, upload_id, repository=repository, token=lease.token, seconds=LEASE_SECONDS
        )
        if row is None and await uploads.get(connection, upload_id, repository=repository):
            raise StorageBusy("another request is writing to this upload")
    if row is None:
        yield Hold(row=None)
        return
    keeping = asyncio.create_task(lease.keep())
    try:
        yield Hold(row=row, lease=lease)
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        await lease.release()
