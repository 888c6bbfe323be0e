"""The one way to Postgres: a pool of connections, transactions, and notifications.

Callers get an asyncpg connection, seen through the `Connection` protocol below.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeAlias, TypeVar

import asyncpg
import tenacity

from database import keepalive, pooler, preparing
from database.errors import DatabaseRefused, DatabaseUnavailable

Result = TypeVar("Result")
Record = Mapping[str, Any]
NotificationCallback = Callable[[str, str], None]

COMMAND_TIMEOUT_SECONDS = 60.0
CONNECT_TIMEOUT_SECONDS = 10.0
PATIENCE_SECONDS = 10.0
_CONFLICT_ATTEMPTS = 4
_LISTEN_CHECK_SECONDS = 15.0
_RECONNECT_SECONDS = 0.5

# What a connection attempt raises while Postgres restarts or fails over.
CONNECT_ERRORS = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)
# What a statement raises when Postgres goes; what it did may be committed.
_GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
)
# These say it only when the connection is closed besides.
_PERHAPS_GONE = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)
# What no patience changes.
_REFUSALS = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ClientConfigurationError,
)
# What the packages above catch, without knowing the driver.
UniqueViolation = asyncpg.UniqueViolationError
# Postgres 18 tells RESTRICT from the rest; 15 does not.
REFERENCE_VIOLATIONS = (asyncpg.ForeignKeyViolationError, asyncpg.RestrictViolationError)
CONFLICTS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


class Connection(Protocol):
    """What the packages above use of an asyncpg connection."""

    async def execute(
        self,
        query: str,
        *args: object,
        timeout: float | None = None,  # noqa: ASYNC109 the driver's own
    ) -> str:
        """Run a statement; return its command tag. None is COMMAND_TIMEOUT_SECONDS."""
        ...

    async def executemany(self, command: str, args: Iterable[Sequence[object]]) -> None:
        """Run a statement once per row of arguments, pipelined, all or nothing."""
        ...

    async def fetch(self, query: str, *args: object) -> list[Record]:
        """Return all rows."""
        ...

    async def fetchrow(self, query: str, *args: object) -> Record | None:
        """Return the first row."""
        ...

    async def fetchval(self, query: str, *args: object, column: int = 0) -> Any:
        """Return one value of the first row."""
        ...

    def cursor(
        self,
        query: str,
        *args: object,
        prefetch: int | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[Record]:
        """Iterate over rows inside a transaction, a few at a time."""
        ...

    def transaction(
        self, *, isolation: str | None = None, readonly: bool = False
    ) -> AbstractAsyncContextManager[Any]:
        """Open a transaction, or a savepoint inside one."""
        ...

    async def copy_records_to_table(
        self,
        table_name: str,
        *,
        records: Iterable[Sequence[object]],
        columns: Sequence[str] | None = None,
        schema_name: str | None = None,
    ) -> str:
        """Insert many rows by COPY."""
        ...


Check: TypeAlias = Callable[[Connection], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUse:
    """How many connections a pool has, how many of them are idle, and how many it may have."""

    open: int
    idle: int
    maximum: int


class Database:
    """A pool of connections to one Postgres; build it with `connect`, end it with `close`."""

    def __init__(
        self,
        pool: Any,
        *,
        dsn: str,
        application_name: str,
        patience_seconds: float,
        check: Check | None = None,
    ) -> None:
        self._pool = pool
        self._dsn = dsn
        self._application_name = application_name
        self._patience_seconds = patience_seconds
        self._check = check

    @classmethod
    async def connect(
        cls,
        dsn: str,
        *,
        application_name: str = "transship",
        max_size: int = 10,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> Self:
        """Connect; now and later a Postgres that is starting has `patience_seconds`.

        Raise DatabaseUnavailable or DatabaseRefused, or PoolerRefused behind a transaction pooler.
        """
        with _told(patience_seconds):
            pool: Any = await _retrying(patience_seconds)(
                _open_pool, dsn, application_name, max_size
            )
        return cls(
            pool,
            dsn=dsn,
            application_name=application_name,
            patience_seconds=patience_seconds,
        )

    def checked(self, check: Check) -> Self:
        """Return the same pool, for whoever may write no longer than `check` lets it.

        It is asked before a connection is lent, and again before a transaction commits; what it
        raises keeps back the one and undoes the other.
        """
        return type(self)(
            self._pool,
            dsn=self._dsn,
            application_name=self._application_name,
            patience_seconds=self._patience_seconds,
            check=check,
        )

    def use(self) -> PoolUse:
        """Return how the pool is used now."""
        return PoolUse(
            open=self._pool.get_size(),
            idle=self._pool.get_idle_size(),
            maximum=self._pool.get_max_size(),
        )

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Borrow a connection; dead ones are replaced, a restarting Postgres is waited for.

        Raise DatabaseUnavailable when patience ends, and when it dies under a statement.
        """
        connection = await self._acquire()
        try:
            if self._check is not None:
                await self._check(connection)
            yield connection
        except (*_GONE, *_PERHAPS_GONE) as error:
            if isinstance(error, _GONE) or _is_gone(connection):
                raise DatabaseUnavailable(
                    f"Postgres went away under a statement: {error}"
                ) from error
            raise
        finally:
            await self._pool.release(connection)

    async def _acquire(self) -> Any:
        try:
            return await self._pool.acquire()
        except CONNECT_ERRORS:  # the usual road pays nothing for retries
            pass
        try:
            return await _retrying(self._patience_seconds)(self._acquire_once)
        except CONNECT_ERRORS as error:
            raise _unavailable(error, self._patience_seconds) from error

    async def _acquire_once(self) -> Any:
        return await self._pool.acquire()

    @contextlib.asynccontextmanager
    async def transaction(
        self, *, isolation: str | None = None, readonly: bool = False
    ) -> AsyncIterator[Connection]:
        """Borrow a connection with a transaction open: commit at the end, roll back on an error."""
        async with (
            self.connection() as connection,
            connection.transaction(isolation=isolation, readonly=readonly),
        ):
            yield connection
            if self._check is not None:
                await self._check(connection)

    async def run(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """Run `work` in a transaction; repeat it after a deadlock or serialization failure."""
        async for attempt in tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(CONFLICTS),
            stop=tenacity.stop_after_attempt(_CONFLICT_ATTEMPTS),
            wait=tenacity.wait_random_exponential(multiplier=0.02, max=0.5),
            reraise=True,
        ):
            with attempt:
                async with self.transaction() as connection:
                    return await work(connection)
        raise AssertionError("tenacity ends by returning or raising")

    async def listen(
        self,
        channel: str,
        callback: NotificationCallback,
        *,
        on_connect: Callable[[], None] | None = None,
    ) -> None:
        """Hand every notification on `channel` to `callback(channel, payload)` until cancelled.

        Uses a connection of its own and reconnects for ever; `on_connect` is called after each
        connect, because what was notified meanwhile is lost. Run it in a TaskGroup.
        """
        while True:
            with contextlib.suppress(*CONNECT_ERRORS, asyncpg.InterfaceError):
                await self._listen_once(channel, callback, on_connect)
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _listen_once(
        self, channel: str, callback: NotificationCallback, on_connect: Callable[[], None] | None
    ) -> None:
        connection = await _open_connection(self._dsn, f"{self._application_name} listener")
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _connection: ended.set())
        try:
            await connection.add_listener(
                channel, lambda _connection, _pid, name, payload: callback(name, payload)
            )
            if on_connect is not None:
                on_connect()
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LISTEN_CHECK_SECONDS):
                        await ended.wait()
                        return
                # a silent connection may be a dead one
                async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                    await connection.execute("SELECT 1")
        finally:
            connection.terminate()

    async def close(self) -> None:
        """Wait for borrowed connections for a moment, then close all."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()


async def connect_once(
    dsn: str, *, application_name: str, patience_seconds: float = PATIENCE_SECONDS
) -> Any:
    """Return one asyncpg connection outside any pool, whose commands may take as long as they like.

    Raise DatabaseUnavailable or DatabaseRefused.
    """
    arguments = {**_connect_arguments(application_name), "command_timeout": None}
    with _told(patience_seconds):
        return await _retrying(patience_seconds)(asyncpg.connect, dsn, **arguments)


async def _open_connection(dsn: str, application_name: str) -> Any:
    connection = await asyncpg.connect(dsn, **_connect_arguments(application_name))
    await preparing.prepare_connection(connection)
    return connection


async def _open_pool(dsn: str, application_name: str, max_size: int) -> Any:
    await pooler.refuse_transaction_pooler(dsn, timeout_seconds=CONNECT_TIMEOUT_SECONDS)
    pool = asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=max_size,
        init=preparing.prepare_connection,
        reset=preparing.leave_as_it_is,
        **_connect_arguments(application_name),
    )
    await pool
    return pool


def _connect_arguments(application_name: str) -> dict[str, Any]:
    return {
        "timeout": CONNECT_TIMEOUT_SECONDS,
        "command_timeout": COMMAND_TIMEOUT_SECONDS,
        "server_settings": {"application_name": application_name, **keepalive.SERVER_SETTINGS},
    }


def _is_gone(connection: Any) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:  # it died, and the pool took it back
        return True


def _retrying(patience_seconds: float) -> tenacity.AsyncRetrying:
    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(CONNECT_ERRORS),
        stop=tenacity.stop_after_delay(patience_seconds),
        wait=tenacity.wait_random_exponential(multiplier=0.1, max=1.0),
        reraise=True,
    )


@contextlib.contextmanager
def _told(patience_seconds: float) -> Iterator[None]:
    """Say in a sentence why there is no connection."""
    try:
        yield
    except _REFUSALS as error:
        raise DatabaseRefused(
            f"Postgres refuses TRANSSHIP_POSTGRES_DSN: {error}; check its user, password and"
            " database"
        ) from error
    except CONNECT_ERRORS as error:
        raise _unavailable(error, patience_seconds) from error


def _unavailable(error: BaseException, patience_seconds: float) -> DatabaseUnavailable:
    reason = str(error) or type(error).__name__
    return DatabaseUnavailable(
        f"Postgres did not answer within {patience_seconds:g} s: {reason}; "
        "check TRANSSHIP_POSTGRES_DSN and that the server runs"
    )
