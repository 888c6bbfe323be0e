"""A worker process with the product's job types and a hasty rhythm, to be killed.

Run as a program: `python -m tests.fakes.copying_worker POSTGRES_DSN REDIS_DSN STORAGE_FOLDER`.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from database import sealing
from database.pool import Database
from database.sealing import Keyring
from jobservice import logging as service_logging
from jobservice import working
from jobservice.connecting import Connector
from jobservice.jobs import catalogue
from jobservice.jobs.registries import Registries
from protocol.transport import Transport
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from tests.fakes import jobs


async def main(postgres_dsn: str, redis_dsn: str, storage: str) -> None:
    service_logging.configure(level="warning")
    setup = working.Setup(
        postgres_dsn=postgres_dsn, redis_dsn=redis_dsn, slots=jobs.SLOTS, rhythm=jobs.HASTY
    )
    database = await Database.connect(postgres_dsn)
    async with Transport() as transport:
        connector = Connector(
            database=database,
            keyring=Keyring([sealing.generate_key()]),
            transport=transport,
            local_registry=Registry(database, FilesystemStorage(Path(storage))),
        )
        job_types = catalogue.build(database, Registries(database, connector))
        await working.work(setup, database, job_types, stop=asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
