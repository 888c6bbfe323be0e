"""The places of retention policies, opened for a task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from database.pool import Connection, Database
from jobservice.domain.redaction import redact_text
from jobservice.domain.retention import RetentionSnapshot
from jobservice.domain.retention_verdict import Deciding, Verdict
from jobservice.domain.task import Claimed, TaskError
from jobservice.errors import PlaceGone
from jobservice.jobs.base import Failed, Snoozed
from jobservice.jobs.retention_place import Fate, Place, Record
from protocol.digest import Digest
from registry import retiring
from registry.admission import READ_ONLY_MESSAGE
from registry.metadata import repositories, retention_snapshot
from registry.retention.deciding import Decider
from registry.retention.decision import Decision, Outcome
from registry.retention.decision import Fate as Outcoming
from registry.retention.guard import Totals
from registry.retention.rule_set import RuleSet, Scope
from registry.retiring import Condemned
from registry.service import Registry

PAGE: Final = 200


class Places:
    """Opens the place that a run is about."""

    def __init__(self, database: Database, registry: Registry) -> None:
        self._database = database
        self._registry = registry

    @asynccontextmanager
    async def open(
        self, execution_id: int | None, snapshot: RetentionSnapshot
    ) -> AsyncIterator[Place]:
        """Hand out the place of a run, or of a preview where there is none; raise PlaceGone."""
        del execution_id
        yield LocalPlace(self._database, self._registry, snapshot)

    def explain(self, error: Exception, task: Claimed) -> Failed | Snoozed:
        """Return the answer to what a plan or a task raised."""
        del task
        return Failed(error=TaskError(message=redact_text(str(error)), kind=type(error).__name__))


class LocalPlace:
    """A project of this registry."""

    def __init__(self, database: Database, registry: Registry, snapshot: RetentionSnapshot) -> None:
        self._database = database
        self._registry = registry
        self._snapshot = snapshot

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
        decider = Decider(self._rules(repository), now=datetime.now(UTC))
        pages = retention_snapshot.pages(self._database, repository)
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
            condemned = [_condemned(verdict) for verdict in verdicts]
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


def _condemned(verdict: Verdict) -> Condemned:
    assert verdict.used_at is not None  # noqa: S101  this registry knows when it was pushed
    return Condemned(
        digest=Digest.parse(verdict.digest),
        tags=verdict.tags,
        used_at=verdict.used_at,
        tag=verdict.tag,
        overrides_immutable=verdict.overrides_immutable,
    )


class Decided:
    """A decision, as jobs and previews see it."""

    def __init__(self, decision: Decision, scope: Scope) -> None:
        self._decision = decision
        self._is_by_tag = scope is Scope.TAG
        self.total = decision.total
        self.doomed = sum(1 for _ in self.going())
        self.doomed_bytes = decision.deleted_bytes
        self.matched: Mapping[str, int] = {one.rule: one.selected for one in decision.rules}
        self.remarks = tuple(self._remarks())

    def added_to(self, totals: Totals, repository: str) -> Totals:
        """Return what a run would take with this repository; by tags where they go one by one."""
        found, by_tag = self._decision, self._is_by_tag
        return totals.adding(
            repository,
            candidates=max(found.total, found.tags) if by_tag else found.total,
            going=max(found.deleted, found.deleted_tags) if by_tag else found.deleted,
            empties=found.takes_last_tag,
            unselected=found.selects_nothing,
        )

    def going(self) -> Iterator[Verdict]:
        """Yield what goes, indexes before their children; an artifact once, whatever the scope."""
        for _, together in groupby(self._decision.going(), key=lambda outcome: outcome.id):
            outcomes = list(together)
            whole = [one for one in outcomes if one.fate is Outcoming.DELETED]
            if whole:
                yield _artifact(whole)
            yield from (_tag(one) for one in outcomes if one.fate is Outcoming.UNTAGGED)

    def kept(self) -> Iterator[Verdict]:
        """Yield what stays, and what garbage collection takes after what it belongs to."""
        for outcome in self._decision.outcomes():
            if outcome.fate in {Outcoming.KEPT, Outcoming.FOLLOWING}:
                follows = outcome.fate is Outcoming.FOLLOWING
                yield replace(_tag(outcome), reference=outcome.digest, goes=False, follows=follows)

    def _remarks(self) -> Iterator[str]:
        if self._decision.selects_nothing:
            yield "no rule selects anything here, and by Harbor's semantics everything goes"
            return
        for rule, count in self.matched.items():
            if not count:
                yield f"{rule} selects nothing here"


def _artifact(outcomes: Sequence[Outcome]) -> Verdict:
    """Return the verdict on an artifact that goes with all its tags."""
    first = _tag(outcomes[0])
    used = [one.active_at for one in outcomes if one.active_at is not None]
    return replace(
        first,
        reference=first.digest,
        tags=tuple(tag for one in outcomes for tag in one.tags),
        used_at=max(used, default=None),
        overrides_immutable=any(one.overrides_immutable for one in outcomes),
    )


def _tag(outcome: Outcome) -> Verdict:
    return Verdict(
        reference=f"{outcome.tags[0] if outcome.tags else ''}@{outcome.digest}",
        digest=outcome.digest,
        tags=outcome.tags,
        goes=True,
        reason=outcome.reason,
        size_bytes=outcome.size_bytes,
        pushed_at=outcome.pushed_at,
        used_at=outcome.active_at,
        overrides_immutable=outcome.overrides_immutable,
    )
