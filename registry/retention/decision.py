"""What was decided about a repository: for each artifact what becomes of it, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Fate(StrEnum):
    """What becomes of an artifact, or of one of its tags."""

    KEPT = "kept"
    DELETED = "deleted"  # the artifact goes, with all its tags
    UNTAGGED = "untagged"  # the tag goes, the artifact stays
    FOLLOWING = "following"  # it goes with what it accompanies: garbage collection takes it


class Outcome(NamedTuple):
    """What becomes of an artifact; in the scope of tags there is one for each of its tags.

    `size_bytes` is what an artifact weighs, once for all its tags. `overrides_immutable`: an
    immutable tag goes, because a rule says so. `active_at` is when it was last pushed, pulled or
    used; the times are None where the registry cannot tell, and for what only follows.
    """

    id: int
    digest: str
    tags: tuple[str, ...]
    fate: Fate
    reason: str
    size_bytes: int
    overrides_immutable: bool = False
    pushed_at: datetime | None = None
    active_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCount:
    """How many artifacts or tags a rule selected, and for how many it was the reason."""

    rule: str
    selected: int
    decided: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The decision, and its sums.

    `total` counts candidates: artifacts that are tagged, or neither named by an index nor referring
    to another; `retained` those that stay. `tags` and `deleted_tags` count tags likewise, without
    those that only accompany another artifact; `untagged` are those of them that go alone.
    `deleted_bytes` is what goes weighs; what of it others share stays. `selects_nothing`: what goes
    does so because no keep rule selected anything.
    """

    total: int
    retained: int
    tags: int
    deleted_tags: int
    untagged: int
    deleted_bytes: int
    rules: tuple[RuleCount, ...]
    selects_nothing: bool
    _outcomes: Callable[[], Iterator[Outcome]] = field(repr=False, compare=False)
    _going: Callable[[], Iterator[Outcome]] = field(repr=False, compare=False)

    @property
    def deleted(self) -> int:
        """How many candidates go."""
        return self.total - self.retained

    @property
    def takes_last_tag(self) -> bool:
        """Whether the repository had tags and has none left."""
        return 0 < self.tags == self.deleted_tags

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what becomes of each artifact, in the order in which they came."""
        return self._outcomes()

    def going(self) -> Iterator[Outcome]:
        """Yield what is to be deleted, in the order in which it can be: indexes before children."""
        return self._going()
