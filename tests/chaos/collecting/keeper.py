"""Whoever has jobs run: retentions by policies that change, and two garbage collections at a time.

Workers carry them out, the API is asked as anybody asks it, and asked again when it was killed.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from database.pool import Database
from tests.acceptance.house import Answer, Api
from tests.chaos.collecting.owner import Owner
from tests.chaos.collecting.policy import Policy

COLLECTIONS = 2
PAUSE_SECONDS = 1.0
LOOK_SECONDS = 0.05
# The first statuses that say that whoever asked did nothing wrong.
SERVER_ERRORS = 500
RUN = "/system/gc/schedule"
UNFINISHED = """
SELECT id FROM jobservice.executions
WHERE ended_at IS NULL AND vendor_type = $1 AND ($2::bigint IS NULL OR vendor_id = $2)
"""
FAILED = """
SELECT e.id, t.error ->> 'message' AS words
FROM jobservice.executions e JOIN jobservice.tasks t ON t.execution_id = e.id
WHERE e.vendor_type = 'RETENTION' AND t.status = 'failed'
"""


class Overdue(Exception):
    """A job has not ended in a generous time."""


@dataclass(slots=True, kw_only=True)
class Keeper:
    """`policies` are those of one project, one of which is in force at a time."""

    api: Api
    database: Database
    chance: random.Random
    patience_seconds: float
    counts: Counter[str] = field(default_factory=Counter)
    _numbers: Any = field(default_factory=itertools.count)

    async def project(self, name: str) -> int:
        """Return a project's id."""
        found = await self._insist("GET", f"/projects/{name}")
        return int(found.body["project_id"])

    async def policy(self, project_id: int, policy: Policy) -> int:
        """Give a project its policy; return its id."""
        return (await self._insist("POST", "/retentions", policy.to_json(project_id))).id

    async def retain(self, ward: Ward, stop: asyncio.Event) -> None:
        """Run one policy after the other, until told to stop; each run is seen to its end."""
        while not stop.is_set():
            await self.run(ward, self.chance.choice(ward.policies))
            await self._pause(stop)

    async def run(self, ward: Ward, policy: Policy) -> None:
        """Have a policy in force run once, to its end; owners know from before it begins."""
        number = next(self._numbers)
        at = f"/retentions/{ward.policy_id}"
        await self._insist("PUT", at, {**policy.to_json(ward.project_id), "id": ward.policy_id})
        for owner in ward.owners:
            owner.model.retention_begins(number, policy)
        await self._insist("POST", f"{at}/executions", {"dry_run": False})
        await self.until_over("RETENTION", ward.policy_id)
        for owner in ward.owners:
            owner.model.retention_ends(number)
        self.counts["retention runs"] += 1

    async def collect(self, stop: asyncio.Event) -> None:
        """Have garbage collections run by hand, every third one without delays and window."""
        while not stop.is_set():
            now = {"release_now": True} if self.chance.randrange(3) == 0 else {}
            await self.collect_once(workers=self.chance.randint(1, 3), transship=now)
            await self._pause(stop)

    async def collect_once(self, **parameters: Any) -> None:
        """Have one garbage collection run, to its end."""
        body = {"schedule": {"type": "Manual"}, "parameters": parameters}
        answer = await self._insist("POST", RUN, body)
        await self.until_over("GARBAGE_COLLECTION", None, only=answer.id)
        self.counts["collections run"] += 1

    async def until_over(
        self, vendor_type: str, vendor_id: int | None, *, only: int | None = None
    ) -> None:
        """Return when no such execution goes on; raise Overdue."""
        gives_up_at = time.monotonic() + self.patience_seconds
        while True:
            async with self.database.connection() as connection:
                rows = await connection.fetch(UNFINISHED, vendor_type, vendor_id)
            going_on = [row["id"] for row in rows if only in {None, row["id"]}]
            if not going_on:
                return
            if time.monotonic() > gives_up_at:
                raise Overdue(f"executions {going_on} of {vendor_type} have not ended")
            await asyncio.sleep(LOOK_SECONDS)

    async def failures(self) -> Sequence[str]:
        """Return what retentions failed of."""
        async with self.database.connection() as connection:
            rows = await connection.fetch(FAILED)
        return [f"retention {row['id']} failed: {row['words']}" for row in rows]

    async def _insist(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Answer:
        """Ask until there is an answer that is no excuse; a request may be carried out twice."""
        gives_up_at = time.monotonic() + self.patience_seconds
        while True:
            try:
                answer = await self.api.call(method, path, body)
            except (aiohttp.ClientError, TimeoutError) as error:
                words = repr(error)
            else:
                if answer.status < SERVER_ERRORS:
                    assert answer.status < 400, (method, path, answer.body)
                    return answer
                words = f"{answer.status} {answer.body}"
            assert time.monotonic() < gives_up_at, (method, path, words)
            await asyncio.sleep(LOOK_SECONDS)

    async def _pause(self, stop: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(self.chance.random() * PAUSE_SECONDS):
                await stop.wait()
        except TimeoutError:
            return


@dataclass(frozen=True, slots=True, kw_only=True)
class Ward:
    """A project under retention: its policies in turn, and who has content in it."""

    project_id: int
    policy_id: int
    policies: Sequence[Policy]
    owners: Sequence[Owner]
