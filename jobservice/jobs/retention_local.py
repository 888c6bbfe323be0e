"""A project of this registry, as a place of retention."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Final

from database.pool import Connection, Database
from jobservice.domain.retention import RetentionSnapshot
from jobservice.domain.retention_verdict import Deciding, Verdict
from jobservice.errors import PlaceGone
from jobservice.jobs.retention_decided import Decided
from jobservice.jobs.retention_place import Fate, Record
from protocol.digest import Digest
from registry import inspecting, retiring
from registry.admission import READ_ONLY_MESSAGE
from registry.metadata import repositories, retention_snapshot
from registry.metadata import retiring as retiring_rows
from registry.retention.deciding import Decider
from registry.retention.rule_set import RuleSet
from registry.retiring import Condemned
from registry.service import Registry

PAGE: Final = 200


class LocalPlace:
    """A project of this registry."""

    def __init__(self, database: Database, registry: Registry, snapshot: RetentionSnapshot) -> None:
        self._database = database
        self._registry = registry
        self._snapshot = snapshot
        self._decided_at: dict[str, datetime] = {}

    async def repositories(self, *, after: str) -> AsyncGenerator[Sequence[str], None]:
        """Yield pages of the project's repositories; raise PlaceGone."""
        project_id = self._snapshot.project_id or 0
        while True:
            async with self._database.connection() as connection:
                if not await repositories.has_project(connection, project_id):
                    raise PlaceGone("project", self._snapshot.place)
                names = await repositories.page_of_project(
                    connection, project_id, after=after, limit=PAGE
                )
            if not names:
                return
            yield names
            after = names[-1]

    def covers(self, repository: str) -> bool:
        """Say whether any rule is in force there."""
        return bool(self._rules(repository).rules)

    async def decide(self, repository: str) -> Deciding:
        """Apply the rules to what is there now."""
        rules = self._rules(repository)
        if rules.asks_configs:
            await inspecting.inspect(self._database, self._registry.storage, repository)
        async with self._database.connection() as connection:
            now = self._decided_at[repository] = await retiring_rows.clock(connection)
        decider = Decider(rules, now=now)
        pages = retention_snapshot.pages(self._database, repository, rules)
        async with aclosing(pages):
            async for artifacts in pages:
                decider.take(artifacts)
        # Seconds, for the largest: others want the loop meanwhile.
        return Decided(await asyncio.to_thread(decider.decide), self._snapshot.rules.scope)

    async def delete(
        self, repository: str, verdicts: Sequence[Verdict], record: Record
    ) -> Sequence[Fate]:
        """Delete in one transaction what is still as it was decided about."""

        async def work(connection: Connection) -> list[Fate]:
            condemned = [_condemned(one, self._decided_at[repository]) for one in verdicts]
            refusals = await retiring.retire(
                connection, repository, condemned, by=self._snapshot.by
            )
            pairs = zip(verdicts, refusals, strict=True)
            fates = [Fate(verdict=verdict, refusal=refusal) for verdict, refusal in pairs]
            await record(connection, fates)
            return fates

        return await self._database.run(work)

    async def refuses(self) -> str:
        """Say that this registry takes no changes."""
        return READ_ONLY_MESSAGE if await self._registry.admission.is_read_only() else ""

    def _rules(self, repository: str) -> RuleSet:
        short = repository.removeprefix(f"{self._snapshot.place}/")
        return self._snapshot.rules.applying_to(short)


def _condemned(verdict: Verdict, decided_at: datetime) -> Condemned:
    assert verdict.used_at is not None  # noqa: S101  this registry knows when it was pushed
    return Condemned(
        digest=Digest.parse(verdict.digest),
        tags=verdict.tags,
        used_at=verdict.used_at,
        decided_at=decided_at,
        tag=verdict.tag,
        overrides_immutable=verdict.overrides_immutable,
    )
