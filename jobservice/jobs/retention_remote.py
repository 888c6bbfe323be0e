"""Another registry, as a place of retention."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from typing import Final

from adapters.base import Adapter
from database.pool import Database
from jobservice.domain.retention_verdict import Deciding, Verdict
from jobservice.jobs.retention_decided import Decided
from jobservice.jobs.retention_place import Fate, Record
from protocol.digest import Digest
from protocol.fence import Confirm
from registry.retention.rule_set import RuleSet
from registry.selecting import Selector
from replication import filters, retiring
from replication.inventory import Inventory
from replication.retiring import Condemned, Retirement

PAGE: Final = 200


class RemotePlace:
    """One adapter, and the rules for what is behind it; `confirm` is asked before each deletion."""

    def __init__(
        self, database: Database, adapter: Adapter, rules: RuleSet, confirm: Confirm | None
    ) -> None:
        self._database = database
        self._adapter = adapter
        self._rules = rules
        self._confirm = confirm
        self._retirements: dict[str, Retirement] = {}

    async def repositories(self, *, after: str) -> AsyncGenerator[Sequence[str], None]:
        """Yield pages of what the rules name, or of the catalog where they name patterns.

        Raise Unsupported, Denied where there is no catalog.
        """
        names = named(self._rules)
        if names is None:
            names = await self._catalog()
        behind = names[bisect_right(names, after) :]
        for start in range(0, len(behind), PAGE):
            yield behind[start : start + PAGE]

    async def _catalog(self) -> list[str]:
        """Return all names in bytewise order, which not every registry keeps."""
        names = set[str]()
        cursor: str | None = None
        while True:
            page = await self._adapter.list_repositories(cursor=cursor)
            names.update(page.items)
            cursor = page.cursor
            if cursor is None:
                return sorted(names)

    def covers(self, repository: str) -> bool:
        """Say whether any rule is in force there."""
        return bool(self._rules.applying_to(repository).rules)

    async def decide(self, repository: str) -> Deciding:
        """Apply the rules to what is there now; one that is not there has nothing."""
        rules = self._rules.applying_to(repository)
        inventory = Inventory(self._adapter, repository, reads_configs=rules.asks_configs)
        decision = await retiring.decide(inventory, rules, now=datetime.now(UTC))
        if self._confirm is not None:
            self._retirements[repository] = Retirement(inventory, confirm=self._confirm)
        return Decided(decision, self._rules.scope)

    async def delete(
        self, repository: str, verdicts: Sequence[Verdict], record: Record
    ) -> Sequence[Fate]:
        """Delete one after the other what is still as it was decided about."""
        retirement = self._retirements[repository]
        await self._adapter.prepare(repository)
        fates = []
        for verdict in verdicts:
            refusal = await retirement.retire(
                Condemned(digest=Digest.parse(verdict.digest), tags=verdict.tags, tag=verdict.tag)
            )
            fate = Fate(verdict=verdict, refusal=refusal)
            await self._database.run(lambda connection, fate=fate: record(connection, [fate]))  # type: ignore[misc]
            fates.append(fate)
        return fates

    async def refuses(self) -> str:
        """Nothing is known that forbids it; a registry says so itself."""
        return ""


def named(rules: RuleSet) -> list[str] | None:
    """Return the repositories that rules name one by one; None where one has a pattern."""
    names = set[str]()
    for rule in rules.rules:
        if rule.disabled:
            continue
        globs = [one for one in rule.repositories if isinstance(one, Selector)]
        literal = [filters.expand(one.pattern) for one in globs if one.is_matching]
        known = [one for one in literal if one is not None]
        if not known:
            return None
        names.update(known[0])
    return sorted(names)
