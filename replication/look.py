"""Look at references on both sides: what they are at the source, what stands at the destination.

Requests: one HEAD a tag at the source, one at the destination unless its tag list shows that there
is nothing; for an artifact that is up to date its referrers, and only if it has any the
destination's. That keeps a run with nothing to do within two requests a tag, three with referrers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from protocol import retrying
from protocol.content import ContentSource, ContentStore
from protocol.digest import Digest
from protocol.errors import (
    Denied,
    NotFound,
    Rejected,
    Unauthorized,
    Unsupported,
)
from replication import companions, fanout
from replication.errors import CopyFailed, Side, failing
from replication.limits import Limits
from replication.plan import Wanted

NO_LISTING: Final = (NotFound, Denied, Rejected, Unauthorized, Unsupported)
_AT_ONCE: Final = 32


class Look:
    """What was seen of one page's references. A rate limit is raised, other errors are kept."""

    def __init__(
        self,
        source: ContentSource,
        destination: ContentStore,
        limits: Limits,
        *,
        beside: frozenset[str] = frozenset(),
        destination_tags: frozenset[str] | None = None,
    ) -> None:
        self.standing: dict[str, Digest] = {}
        self.gone: list[str] = []
        self.failed: dict[str, Exception] = {}
        self.lagging: set[Digest] = set()
        self._resolved: dict[str, Digest] = {}
        self._source = source
        self._destination = destination
        self._limits = limits
        self._beside = beside
        self._destination_tags = destination_tags

    async def at_references(self, wanted: Iterable[Wanted]) -> tuple[Wanted, ...]:
        """Look at each on both sides; return those that the source has, with their digests."""
        kept = tuple(wanted)
        await fanout.for_each(kept, self._at_reference, at_once=_AT_ONCE)
        return tuple(
            Wanted(tag=one.tag, digest=self._resolved[one.reference])
            for one in kept
            if one.reference in self._resolved
        )

    async def at_company(self, settled: Iterable[Digest]) -> None:
        """Find out which artifacts, up to date themselves, miss referrers at the destination."""
        first, *others = settled
        await self._at_company(
            first
        )  # what it teaches of the registries spares the others requests
        await fanout.for_each(others, self._at_company, at_once=_AT_ONCE)

    async def _at_reference(self, one: Wanted) -> None:
        try:
            digest = one.digest or await self._at_source(one.reference)
            there = await self._at_destination(one)
        except CopyFailed as error:
            self._keep(one.reference, error)
            return
        if digest is None:
            self.gone.append(one.reference)
            return
        self._resolved[one.reference] = digest
        if there is not None:
            self.standing[one.reference] = there

    async def _at_company(self, digest: Digest) -> None:
        try:
            if await self._misses_referrers(digest) or await self._misses_companions(digest):
                self.lagging.add(digest)
        except CopyFailed as error:
            self._keep(str(digest), error)

    def _keep(self, reference: str, error: CopyFailed) -> None:
        if is_rate_limit(error):
            raise error
        self.failed[reference] = error

    async def _at_source(self, reference: str) -> Digest | None:
        with failing(Side.SOURCE, "looking up", reference):
            async with self._limits.source:
                try:
                    return (await self._source.resolve(reference)).digest
                except NotFound:
                    return None

    async def _at_destination(self, one: Wanted) -> Digest | None:
        tags = self._destination_tags
        if tags is not None and one.tag is not None and one.tag not in tags:
            return None
        return await self._resolve_destination(one.reference)

    async def _resolve_destination(self, reference: str) -> Digest | None:
        """Return what stands there. Some registries (Artifactory) answer 403 for what is absent."""
        with failing(Side.DESTINATION, "looking up", reference):
            async with self._limits.destination:
                try:
                    return (await self._destination.resolve(reference)).digest
                except (NotFound, Denied):
                    return None

    async def _misses_referrers(self, digest: Digest) -> bool:
        with failing(Side.SOURCE, "listing the referrers of", str(digest)):
            async with self._limits.source:
                here = {found.digest async for found in self._source.referrers(digest)}
        if not here:
            return False
        with failing(Side.DESTINATION, "listing the referrers of", str(digest)):
            async with self._limits.destination:
                there = {found.digest async for found in self._destination.referrers(digest)}
        return bool(here - there)

    async def _misses_companions(self, digest: Digest) -> bool:
        for tag in companions.of(digest, self._beside):
            here = await self._at_source(tag)
            if here is not None and here != await self._resolve_destination(tag):
                return True
        return False


async def tags_of(store: ContentSource, limits: Limits) -> frozenset[str] | None:
    """Return all tags of a destination repository; None if the registry does not list them."""
    with failing(Side.DESTINATION, "listing the tags", "of the repository"):
        async with limits.destination:
            try:
                return frozenset([tag async for page in store.tags() for tag in page])
            except NO_LISTING:
                return None


def is_rate_limit(error: Exception) -> bool:
    """Say whether a registry asks for less: no failure of what was asked for."""
    cause = error.cause if isinstance(error, CopyFailed) else error
    return cause is not None and retrying.asks_for_a_pause(cause)
