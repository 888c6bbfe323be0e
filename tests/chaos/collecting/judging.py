"""The look when all is quiet: what is there, what is gone, and what counters say of it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from database.pool import Connection
from registry.storage.driver import Storage
from tests.chaos.collecting import audit, haste, keeping, sums, witness
from tests.chaos.collecting.keeper import Ward
from tests.chaos.collecting.owner import Owner
from tests.chaos.collecting.policy import Policy
from tests.chaos.collecting.stage import LOOK_SECONDS, Stage


class Notes(Protocol):
    """Where it is noted what is not as it has to be."""

    lost: list[str]
    left: list[str]
    wrong: list[str]


@dataclass(slots=True, kw_only=True)
class Judge:
    """`patience_seconds`: how long what is to be collected may take."""

    stage: Stage
    connection: Connection
    storage: Storage
    patience_seconds: float
    counts: Counter[str] = field(default_factory=Counter)

    async def judge(self, notes: Notes) -> None:
        """Note what is not as it has to be, before and after a retention that nobody disturbs."""
        await self._look(notes)
        if self.stage.keeper is None:
            return
        for ward in self.stage.wards:
            notes.left += await self._retained(ward)
        await self._look(notes)
        notes.lost += await self.stage.keeper.failures()
        seen = await witness.counts(self.connection)
        for name in ("retained", witness.AGAIN):
            self.counts[name] = seen.get(name, 0)

    async def judge_untagged(self, notes: Notes) -> None:
        """Have what has no tag collected, too, as Harbor's run does, and look again."""
        assert self.stage.keeper is not None
        for owner in self.stage.owners:
            owner.model.lose_untagged()
        await self.stage.keeper.collect_once(
            delete_untagged=True, workers=2, transship={"release_now": True}
        )
        await self._look(notes)

    async def _retained(self, ward: Ward) -> Sequence[str]:
        """Run each policy of a project; return what it had to take and did not."""
        assert self.stage.keeper is not None
        left = []
        for policy in ward.policies:
            going = [(one, keeping.condemned(one.model, policy)) for one in ward.owners]
            tags = [(one, keeping.condemned_tags(one.model, policy)) for one in ward.owners]
            await haste.let_a_minute_pass(self.connection)
            await self.stage.keeper.run(ward, policy)
            for owner, names in tags:
                left += [line async for line in _tags_kept(owner, policy, names)]
            for owner, digests in going:
                for digest in digests:
                    if await owner.target_of(str(digest)) is not None:
                        left.append(f"{policy.name} leaves {owner.model.tell(digest)}")
                    else:
                        owner.model.deleted(digest)
                self.counts["condemned"] += len(digests)
            left += await self._settled()
            for owner in ward.owners:  # so that the next policy meets no doubts
                await _settle(owner)
        return left

    async def _look(self, notes: Notes) -> None:
        await self._add_up(notes)
        for owner in self.stage.owners:
            owner.model.moves_on()
        notes.left += await self._settled()
        tables = await audit.read(self.connection)
        for owner in self.stage.owners:
            notes.lost += owner.violations
            owner.violations.clear()
        notes.lost += [line async for line in audit.faults(tables, self.storage)]
        for owner in self.stage.owners:
            self.counts["pulled whole when quiet"] += len(owner.model.certain())
            notes.lost += [line async for line in _lost(owner)]
            await _settle(owner)
            notes.left += [line async for line in _left_tags(owner)]
        await self._add_up(notes)
        self.counts["quiet points"] += 1

    async def _add_up(self, notes: Notes) -> None:
        """Note which counters are wrong; where anything may be lost they mean nothing."""
        if self.stage.keeper is not None:
            notes.wrong += await sums.differences(self.connection)

    async def _settled(self) -> Sequence[str]:
        """Return when nothing is left that should go, or what is after a generous time."""
        gives_up_at = time.monotonic() + self.patience_seconds
        while left := await self._left():
            await haste.let_time_pass(self.connection)
            if time.monotonic() > gives_up_at:
                return left
            await asyncio.sleep(LOOK_SECONDS)
        return ()

    async def _left(self) -> Sequence[str]:
        tables = await audit.read(self.connection)
        found = list(audit.left(tables))
        digests = {(row["repository"], row["digest"]) for row in tables.manifests}
        for owner in self.stage.owners:
            found += [
                f"owner {owner.number}: still there: {owner.model.tell(digest)}"
                for digest in owner.model.doomed()
                if (owner.store.repository, audit.stored(digest)) in digests
            ]
        return found


async def _lost(owner: Owner) -> AsyncIterator[str]:
    """Yield what a repository has to hold and does not."""
    where, model = f"owner {owner.number} of {owner.store.repository}", owner.model
    for digest in model.certain():
        if problem := await owner.problem_of(str(digest), digest):
            yield f"{where}: {problem}; {model.tell(digest)}"
    for tag, digest in model.certain_tags().items():
        if await owner.target_of(tag) != digest:
            yield f"{where}: tag {tag} does not lead to {model.tell(digest)}"


async def _settle(owner: Owner) -> None:
    """Look at everything; then there is nothing unsure."""
    model = owner.model
    model.moves_on()
    found = {digest for digest in model.there if await owner.target_of(str(digest))}
    tags = {tag: target for tag in model.tags if (target := await owner.target_of(tag))}
    model.settle(found, tags)


async def _tags_kept(owner: Owner, policy: Policy, tags: Sequence[str]) -> AsyncIterator[str]:
    """Yield the tags of these that are still there; note that the others are gone."""
    for tag in tags:
        target = owner.model.tags.get(tag)
        if target is None:
            continue
        if await owner.target_of(tag) is not None:
            yield f"{policy.name} leaves tag {tag} of {owner.model.tell(target)}"
        else:
            owner.model.untagged(tag)


async def _left_tags(owner: Owner) -> AsyncIterator[str]:
    async for page in owner.store.tags():
        for tag in page:
            if owner.owns(tag) and tag not in owner.model.tags:
                yield f"tag {tag} is in {owner.store.repository}, and was deleted"
