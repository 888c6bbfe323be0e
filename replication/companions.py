"""Tags that only accompany an artifact: cosign's, and those that stand in for the referrers API.

They are named after the subject's digest. With referrers copied they travel with their subject and
are never planned on their own, so that a signature cannot arrive without what it signs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from protocol import referrers
from protocol.content import ContentSource
from protocol.digest import Digest
from replication.turns import Turns

_REPOSITORIES: Final = 64


def of(subject: Digest, companions: Iterable[str]) -> tuple[str, ...]:
    """Return which of a repository's companion tags are cosign's for `subject`."""
    known = companions if isinstance(companions, frozenset) else frozenset(companions)
    return tuple(tag for tag in referrers.cosign_tags(subject) if tag in known)


class CompanionTags:
    """The companion tags of source repositories, each listed once for all transfers."""

    def __init__(self, *, repositories: int = _REPOSITORIES) -> None:
        self._limit = repositories
        self._known: OrderedDict[str, frozenset[str]] = OrderedDict()
        self._turns = Turns()

    async def list(self, source: ContentSource, repository: str) -> frozenset[str]:
        """Return a repository's companion tags, asking the source the first time."""
        async with self._turns.turn(repository):
            known = self._known.get(repository)
            if known is None:
                known = await listed(source)
                self._known[repository] = known
                if len(self._known) > self._limit:
                    self._known.popitem(last=False)
            return known


async def listed(source: ContentSource) -> frozenset[str]:
    """Read all tags of a repository and return the companions among them."""
    return frozenset(
        [tag async for page in source.tags() for tag in page if referrers.is_companion_tag(tag)]
    )
