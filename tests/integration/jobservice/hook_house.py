"""Workers that carry hooks, and what a user does with hooks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from database.pool import Database
from jobservice import working
from jobservice.domain.hook_delivery import DeliveryStatus, HookDelivery
from jobservice.domain.listing import Listing
from jobservice.hook_targets import WantedTarget
from jobservice.hooks import Hooks, Wanted
from jobservice.jobs.base import JobType
from jobservice.jobs.hook_delivery import HookDelivery as HookDeliveryJob
from jobservice.maintenance import outbox_reader
from jobservice.maintenance.service import Service
from tests.fakes import jobs
from tests.fakes.receiver import Receiver
from tests.integration.jobservice.conftest import Jobs, until

OUTBOXES = """
SELECT (SELECT count(*) FROM jobservice.outbox) + (SELECT count(*) FROM registry.outbox)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Workers that carry hooks, and what a user does with hooks."""

    dsn: str
    redis_dsn: str
    hooks: Hooks
    jobs: Jobs

    async def hook(self, receiver: Receiver, **wanted: Any) -> int:
        """Make a hook that leads to a receiver."""
        target = WantedTarget(
            kind="http",
            address=receiver.url,
            format=wanted.pop("format", ""),
            auth_header=receiver.authorization,
            secret=receiver.secret,
        )
        settings = {"name": "ops", "event_types": ["EXECUTION"], "enabled": True, **wanted}
        return await self.hooks.create(Wanted(targets=[target], **settings), creator="admin")

    @contextlib.asynccontextmanager
    async def working(self, *, reads: bool = True) -> AsyncIterator[None]:
        """A worker process's whole inside, the outbox reader included."""
        setup = working.Setup(
            postgres_dsn=self.dsn,
            redis_dsn=self.redis_dsn,
            slots={**jobs.SLOTS, "hook": 2},
            rhythm=jobs.HASTY,
        )
        stop = asyncio.Event()
        database = await Database.connect(self.dsn)

        def chores(leaders: Database) -> tuple[Service, ...]:
            reader = outbox_reader.service(leaders, external_url="https://t.example")
            return (reader,) if reads else ()

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(
                    working.work(setup, database, self.types(database), stop=stop, chores=chores)
                )
                try:
                    yield
                finally:
                    stop.set()
        finally:
            await database.close()

    def types(self, database: Database) -> Mapping[str, JobType]:
        job = HookDeliveryJob(database, self.hooks.transport, self.hooks.secrets)
        return {**jobs.job_types(database), job.name: job}

    async def deliveries(self, hook_id: int) -> tuple[HookDelivery, ...]:
        return (await self.hooks.deliveries(hook_id, Listing(page_size=100))).items

    async def settled(self, hook_id: int) -> HookDelivery:
        """Return the only delivery when it is no longer pending."""

        async def is_settled() -> bool:
            found = await self.deliveries(hook_id)
            return bool(found) and found[-1].status is not DeliveryStatus.PENDING

        await until(is_settled)
        return (await self.deliveries(hook_id))[-1]

    async def outbox_is_empty(self) -> None:
        async def is_empty() -> bool:
            return not await self.jobs.one(OUTBOXES)

        await until(is_empty)
