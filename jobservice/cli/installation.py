"""The installation on this machine, for commands that care for it without asking its API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from config import environment
from config.settings import Settings
from database.pool import Database
from jobservice import storing
from jobservice.cli import process_settings
from jobservice.supervisor import household
from jobservice.supervisor.household import Household
from protocol.surroundings import Surroundings
from registry.storage.driver import Storage

NEEDED = ("postgres_dsn", "storage")
CONNECTIONS = 6
Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="The folder of `transship up`.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Its database and its storage, open."""

    dsn: str = field(repr=False)
    database: Database
    storage: Storage


def settings_of(
    config: Path | None, data: Path | None, *, needed: tuple[str, ...] = NEEDED
) -> Settings:
    """Return settings that have all that is needed: given ones, else those of a running `up`.

    Raise InvalidSettings or NotRunning.
    """
    settings, environment = process_settings.load(config, {"data": data and str(data)})
    if data is None and settings.postgres_dsn is not None:
        settings.require(*needed)
        return settings
    folder = Path(settings.data) if settings.data else household.default_folder(environment)
    return Household.of(folder.absolute(), settings).settings_of_running()


@asynccontextmanager
async def opened(settings: Settings, *, name: str) -> AsyncIterator[Installation]:
    """Open database and storage; raise DatabaseUnavailable or DatabaseRefused."""
    dsn = settings.postgres_dsn.get_secret_value() if settings.postgres_dsn else ""
    database = await Database.connect(dsn, application_name=name, max_size=CONNECTIONS)
    try:
        async with storage_of(settings) as storage:
            yield Installation(dsn=dsn, database=database, storage=storage)
    finally:
        await database.close()


@asynccontextmanager
async def storage_of(settings: Settings) -> AsyncIterator[Storage]:
    """Open the storage that the settings name."""
    surroundings = Surroundings.of(environment.read(), home=Path.home())
    async with storing.opened(settings, surroundings) as storage:
        yield storage
