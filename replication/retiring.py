"""Delete at another registry what the rules of retention let go, and not a digest more.

In OCI's protocol a deleted tag leaves its artifact, and a deleted digest takes all its tags along.
Not every registry can do the first, some do the second instead. So everything is looked at again
right before, an artifact that others point to never goes, and one that a registry deleted with a
tag is put back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from protocol import fence, referrers
from protocol.digest import Digest
from protocol.errors import NotFound, Unsupported
from registry.retention.criterion import Fact
from registry.retention.deciding import Decider
from registry.retention.decision import Decision
from registry.retention.rule_set import RuleSet
from replication.inventory import Inventory, reads_all

GONE: Final = "it is gone already"
# What was listed is asked for again when it is older.
FRESH_SECONDS: Final = 30.0
_NAMED: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Condemned:
    """An artifact as it was decided about, with all its tags; with `tag` only that one goes."""

    digest: Digest
    tags: tuple[str, ...]
    tag: str | None = None


async def decide(inventory: Inventory, rules: RuleSet, *, now: datetime) -> Decision:
    """Apply rules to what a registry has; raise UnknownFact, and what requests raise.

    Whatever would go is read first: what refers to something that stays, stays. A repository that
    is not there has nothing.
    """
    with suppress(NotFound):
        await inventory.take()
    if reads_all(rules):
        await inventory.read(inventory.tags.values())
    if rules.needed & {Fact.SIZE, Fact.ANNOTATIONS}:
        await inventory.read_children()
    while True:
        decider = Decider(rules, now=now)
        decider.take(inventory.artifacts())
        # Seconds, for the largest: others want the loop meanwhile.
        decision = await asyncio.to_thread(decider.decide)
        going = (Digest.parse(outcome.digest) for outcome in decision.going())
        unread = inventory.unread(going)
        if not unread:
            return decision
        await inventory.read(unread)


class Retirement:
    """Deletes in one repository, one after the other. `confirm` is asked before every deletion."""

    def __init__(
        self,
        inventory: Inventory,
        *,
        confirm: Callable[[], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inventory = inventory
        self._store = inventory.store
        self._confirm = confirm
        self._clock = clock
        self._taken_at: float | None = None

    async def retire(self, condemned: Condemned) -> str:
        """Delete; return why not, empty for what is gone now.

        Raise Unsupported or Denied where the registry deletes nothing, and what requests raise.
        """
        await self._refresh()
        if condemned.tag is not None:
            return await self._tag(condemned, condemned.tag)
        return await self._artifact(condemned)

    async def _refresh(self) -> None:
        if self._taken_at is None or self._clock() - self._taken_at > FRESH_SECONDS:
            with suppress(NotFound):  # some registries forget a repository with its last tag
                await self._inventory.take()
            self._taken_at = self._clock()

    async def _look_again(self) -> None:
        """Learn of tags that came since, last of all before a deletion."""
        with suppress(NotFound):
            await self._inventory.look_again()

    async def _artifact(self, condemned: Condemned) -> str:
        digest = condemned.digest
        if refusal := await self._changed(condemned):
            return refusal
        followers = [one.digest async for one in self._store.referrers(digest)]
        await self._look_again()
        others = self._inventory.sharing(digest).difference(condemned.tags)
        if others:
            return f"{_named(others)} has the same digest by now"
        if parents := self._inventory.parents(digest):
            return f"it is part of {_named(map(str, parents))}"
        companions = [
            tag
            for tag in (referrers.fallback_tag(digest), *referrers.cosign_tags(digest))
            if tag in self._inventory.tags
        ]
        await self._delete(digest)
        # A fallback's index first: as long as it is there, what it lists is part of it.
        accompanying = [self._inventory.tags[tag] for tag in companions]
        for follower in dict.fromkeys([*accompanying, *followers]):
            await self._follow(follower, frozenset(companions))
        return ""

    async def _changed(self, condemned: Condemned) -> str:
        """Ask once more for every tag; say what is not as it was decided about."""
        pointing = 0
        for tag in condemned.tags:
            standing = await self._resolve(tag)
            if standing is None:
                self._inventory.forget(tag)
            elif standing != condemned.digest:
                return f"tag {tag} points to {standing} by now"
            else:
                pointing += 1
        return "" if pointing or not condemned.tags else GONE

    async def _follow(self, digest: Digest, companions: frozenset[str]) -> None:
        """Delete what referred to what is gone, unless it has a tag of its own or is named."""
        if self._inventory.sharing(digest) - companions or self._inventory.parents(digest):
            return
        await self._delete(digest)

    async def _delete(self, digest: Digest) -> None:
        with fence.fenced(self._confirm):
            await self._confirm()
            with suppress(NotFound):  # somebody else was faster
                await self._store.delete_manifest(digest)
        for tag in self._inventory.sharing(digest):
            self._inventory.forget(tag)

    async def _tag(self, condemned: Condemned, tag: str) -> str:
        standing = await self._resolve(tag)
        if standing is None:
            self._inventory.forget(tag)
            return GONE
        if standing != condemned.digest:
            return f"tag {tag} points to {standing} by now"
        await self._look_again()
        others = self._inventory.sharing(standing) - {tag}
        kept = await self._store.read_manifest(str(standing))
        with fence.fenced(self._confirm):
            await self._confirm()
            try:
                await self._store.delete_tag(tag)
            except Unsupported:
                return _cannot(others)
            except NotFound:
                return GONE
            self._inventory.forget(tag)
            if await self._resolve(str(standing)) is not None:
                return ""
            # The digest went with the tag: this registry does what the protocol forbids.
            await self._store.write_manifest(kept)
            for other in sorted(others):
                await self._store.write_manifest(kept, tag=other)
        return (
            "the registry deleted the artifact with the tag; the artifact"
            f"{' and ' + _named(others) if others else ''} was put back, without this tag"
        )

    async def _resolve(self, reference: str) -> Digest | None:
        try:
            return (await self._store.resolve(reference)).digest
        except NotFound:
            return None


def _cannot(others: frozenset[str]) -> str:
    if not others:
        return "this registry cannot delete a tag without its artifact, which is to stay"
    return (
        f"this registry cannot delete a tag without its digest, and {_named(others)} has the same"
        " digest"
    )


def _named(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + more
