"""What the rules of retention say of a repository, as those see it who act on it or show it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from registry.retention.guard import Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of an artifact, or of one tag of it, and why.

    `reference` is its digest, or `tag@digest` where a tag goes alone. `used_at` is when it, or the
    tag, was last pushed, pulled or used; None where nobody can tell. What `follows` does not go by
    itself: garbage collection takes it after what it belongs to.
    """

    reference: str
    digest: str
    tags: tuple[str, ...]
    goes: bool
    reason: str
    size_bytes: int
    pushed_at: datetime | None = None
    used_at: datetime | None = None
    follows: bool = False
    overrides_immutable: bool = False

    @property
    def action(self) -> str:
        """What is done, in a word."""
        if self.goes:
            return "delete"
        return "follow" if self.follows else "keep"

    @property
    def tag(self) -> str | None:
        """The tag that goes alone."""
        return None if self.reference == self.digest else self.reference.partition("@")[0]

    @property
    def key(self) -> str:
        """What was decided beforehand, and perhaps approved: the artifact with just these tags."""
        if self.tag is not None or not self.tags:
            return self.reference
        tags = hashlib.sha256(" ".join(sorted(self.tags)).encode()).hexdigest()
        return f"{self.reference}+{tags[:32]}"


class Deciding(Protocol):
    """What the rules say of one repository."""

    @property
    def total(self) -> int:
        """How many artifacts the rules looked at."""
        ...

    @property
    def doomed(self) -> int:
        """How many verdicts say that something goes."""
        ...

    @property
    def doomed_bytes(self) -> int:
        """How many bytes that frees, as far as nothing else needs them."""
        ...

    def added_to(self, totals: Totals, repository: str) -> Totals:
        """Return what a run would take with this repository."""
        ...

    @property
    def matched(self) -> Mapping[str, int]:
        """How many artifacts each rule takes, by the rule's name."""
        ...

    @property
    def remarks(self) -> Sequence[str]:
        """What should be told of the rules: that one matches nothing, that none selects."""
        ...

    def going(self) -> Iterator[Verdict]:
        """Yield what goes."""
        ...

    def kept(self) -> Iterator[Verdict]:
        """Yield what stays."""
        ...
