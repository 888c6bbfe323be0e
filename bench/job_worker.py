"""A worker process that knows one job, which does nothing.

Run as a program: `python -m bench.job_worker POSTGRES_DSN REDIS_DSN SLOTS`.
"""

from __future__ import annotations

import sys
from typing import ClassVar

import uvloop
from typing_extensions import override

from database.pool import Database
from jobservice import logging, signals, working
from jobservice.jobs.base import Answer, JobType, Run, Succeeded

NAME = "nothing"
QUEUE = "transfer"
CONNECTIONS = 10


class Nothing(JobType):
    """Succeeds at once."""

    name: ClassVar[str] = NAME
    queue: ClassVar[str] = QUEUE

    @override
    async def run(self, run: Run) -> Answer:
        """Do nothing."""
        return Succeeded()


async def main(postgres_dsn: str, redis_dsn: str, slots: str) -> None:
    """Work until told to end."""
    stop = signals.stop_requested()
    logging.configure()
    setup = working.Setup(
        postgres_dsn=postgres_dsn, redis_dsn=redis_dsn, slots={"plan": 4, QUEUE: int(slots)}
    )
    database = await Database.connect(
        postgres_dsn, application_name="transship worker", max_size=CONNECTIONS
    )
    try:
        await working.work(setup, database, {NAME: Nothing()}, stop=stop)
    finally:
        await database.close()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
