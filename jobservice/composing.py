"""The parts that every server process is made of, opened in order and closed in reverse."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, urlsplit

from pydantic import SecretStr

from config.settings import Settings
from database import migrations, sealing
from database.errors import MigrationMissing
from database.pool import Database
from database.sealing import Keyring
from jobservice import storing
from jobservice.connecting import Connector
from protocol.guard import Guard
from protocol.surroundings import Surroundings
from protocol.transport import Timeouts, Transport
from registry.reserve import Reserve
from registry.service import Registry
from registry.storage.driver import Storage

NEEDED = ("postgres_dsn", "redis_dsn", "storage", "secret_key")
# Receivers answer at once; what hangs would hold up the messages to others.
HOOK_TIMEOUTS = Timeouts(connect_seconds=5, stall_seconds=10, answer_seconds=10)
HOOK_NETWORKS_SETTING = "TRANSSHIP_HOOK_ALLOWED_NETWORKS"
DEFAULT_PORTS = {"postgresql": 5432, "postgres": 5432, "redis": 6379, "rediss": 6379}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What API and workers share."""

    settings: Settings
    postgres_dsn: str = field(repr=False)
    redis_dsn: str = field(repr=False)
    database: Database
    keyring: Keyring
    transport: Transport
    hook_transport: Transport
    storage: Storage
    registry: Registry
    connector: Connector


@asynccontextmanager
async def composed(
    settings: Settings, environment: Mapping[str, str], *, name: str, connections: int
) -> AsyncIterator[Parts]:
    """Open the parts; `name` is what Postgres shows, `connections` its pool's size.

    Raises InvalidSettings, InvalidKey, WrongKey, DatabaseUnavailable, MigrationMissing.
    """
    settings.require(*NEEDED)
    keyring = Keyring([key.get_secret_value() for key in settings.secret_key])
    postgres, redis = _dsn(settings.postgres_dsn), _dsn(settings.redis_dsn)
    await _want_schema(postgres)
    database = await Database.connect(postgres, application_name=name, max_size=connections)
    surroundings = Surroundings.of(environment, home=Path.home(), user_id=os.geteuid())
    own = own_servers(postgres, redis)
    transport = Transport(surroundings, Guard(own))
    hook_transport = Transport(
        surroundings,
        Guard(own, opened=settings.hook_allowed_networks, opened_by=HOOK_NETWORKS_SETTING),
        timeouts=HOOK_TIMEOUTS,
    )
    try:
        async with database.connection() as connection:
            await sealing.check_canary(connection, keyring)
        async with storing.opened(settings, surroundings) as storage:
            registry = Registry(database, storage, reserve=_reserve(settings))
            yield Parts(
                settings=settings,
                postgres_dsn=postgres,
                redis_dsn=redis,
                database=database,
                keyring=keyring,
                transport=transport,
                hook_transport=hook_transport,
                storage=storage,
                registry=registry,
                connector=Connector(
                    database=database,
                    keyring=keyring,
                    transport=transport,
                    local_registry=registry,
                    layout_roots=settings.layout_roots,
                ),
            )
    finally:
        await transport.close()
        await hook_transport.close()
        await database.close()


def _reserve(settings: Settings) -> Reserve:
    return Reserve(
        percent=settings.storage_reserve_percent,
        least_bytes=settings.storage_reserve_mebibytes * 1024 * 1024,
    )


def own_servers(*dsns: str) -> frozenset[tuple[str, int]]:
    """Return hosts and ports of our own servers, which no endpoint may be; sockets have neither."""
    return frozenset(address for dsn in dsns for address in _addresses(urlsplit(dsn)))


def _addresses(url: SplitResult) -> Iterator[tuple[str, int]]:
    """Yield every host that a DSN names: several are separated by commas, or stand in `host=`."""
    named = url.netloc.rpartition("@")[2]
    for one in (named or ",".join(parse_qs(url.query).get("host", []))).split(","):
        host = urlsplit(f"//{one}")
        if host.hostname:
            yield host.hostname, host.port or DEFAULT_PORTS.get(url.scheme, 0)


def _dsn(secret: object) -> str:
    return secret.get_secret_value() if isinstance(secret, SecretStr) else ""


async def _want_schema(dsn: str) -> None:
    names = await migrations.pending(dsn)
    if names:
        raise MigrationMissing(
            f"the database's schema is older than this program ({len(names)} pending, first "
            f"{names[0]}): run `transship migrate`"
        )
