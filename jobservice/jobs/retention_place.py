"""Where a retention policy acts, as its jobs see it: a project here, or another registry."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from database.pool import Connection
from jobservice.domain.retention_verdict import Deciding, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of a verdict: gone, or why it is still there."""

    verdict: Verdict
    refusal: str = ""

    @property
    def is_gone(self) -> bool:
        """Whether it was deleted."""
        return not self.refusal


# Writes down, in the transaction of the deletion where there is one, what was deleted.
Record: TypeAlias = Callable[[Connection, Sequence[Fate]], Awaitable[None]]


class Place(Protocol):
    """What a policy's rules are applied to."""

    def repositories(self, *, after: str) -> AsyncGenerator[Sequence[str], None]:
        """Yield pages of the names of all repositories behind one, in bytewise order."""
        ...

    def covers(self, repository: str) -> bool:
        """Say whether any rule is about a repository; the others are left alone."""
        ...

    async def decide(self, repository: str) -> Deciding:
        """Apply the rules to what is there now."""
        ...

    async def delete(
        self, repository: str, verdicts: Sequence[Verdict], record: Record
    ) -> Sequence[Fate]:
        """Delete what is still as it was decided about, and return the fate of each.

        `record` is told of them in the transaction that deletes, or right after each deletion.
        """
        ...

    async def refuses(self) -> str:
        """Say why nothing may be deleted at the moment; empty while it may."""
        ...
