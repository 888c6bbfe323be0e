"""Which repositories and tags a policy means.

All filters of a policy must hold. Patterns are doublestar's (Harbor's v1.3.4); an empty pattern
matches everything. An untagged artifact is matched against the empty string: `**` and `*` take it,
`v*` does not, and excluding `v*` keeps it.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from protocol.doublestar import Pattern
from replication.errors import UnsupportedFilter
from replication.policy import Decoration, Filter, FilterKind

UNTAGGED: Final = ""
_EXPANSION_LIMIT: Final = 1000
_LIST: Final = re.compile(r"\{([^{}]*)\}")
_SPELLED_OUT: Final = re.compile(r"(?:[^*?\[\]\\{}]|\{[^*?\[\]\\{}]*\})+")


@dataclass(frozen=True, slots=True)
class _Condition:
    pattern: Pattern | None
    wanted: bool

    def holds(self, name: str) -> bool:
        return (self.pattern is None or self.pattern.matches(name)) is self.wanted


@dataclass(frozen=True, slots=True)
class Selection:
    """A policy's filters, ready to be asked."""

    repositories: tuple[_Condition, ...]
    tags: tuple[_Condition, ...]
    literal: tuple[str, ...] | None

    @classmethod
    def of(cls, filters: Iterable[Filter]) -> Self:
        """Compile filters; raise InvalidPattern or UnsupportedFilter.

        `resource` filters narrow nothing, in Harbor neither: every artifact is copied alike.
        """
        kept = tuple(filters)
        for condition in kept:
            if condition.kind is FilterKind.LABEL:
                raise UnsupportedFilter(
                    f"label filter {condition.pattern!r}: only a source that keeps labels can be"
                    " asked for them; filter by name or tag instead"
                )
        return cls(
            repositories=_compile(kept, FilterKind.NAME),
            tags=_compile(kept, FilterKind.TAG),
            literal=_literal_repositories(kept),
        )

    def takes_repository(self, name: str) -> bool:
        """Say whether every name filter holds."""
        return all(condition.holds(name) for condition in self.repositories)

    def takes_tag(self, tag: str) -> bool:
        """Say whether every tag filter holds; UNTAGGED stands for no tag."""
        return all(condition.holds(tag) for condition in self.tags)


def _compile(filters: Iterable[Filter], kind: FilterKind) -> tuple[_Condition, ...]:
    return tuple(
        _Condition(
            pattern=Pattern.compile(condition.pattern) if condition.pattern else None,
            wanted=condition.decoration is Decoration.MATCHES,
        )
        for condition in filters
        if condition.kind is kind
    )


def _literal_repositories(filters: Iterable[Filter]) -> tuple[str, ...] | None:
    """Return the repositories that a name filter spells out, if one does: no catalog is needed."""
    for condition in filters:
        if condition.kind is FilterKind.NAME and condition.decoration is Decoration.MATCHES:
            names = expand(condition.pattern)
            if names is not None:
                return names
    return None


def expand(pattern: str) -> tuple[str, ...] | None:
    """Return the names that a pattern spells out, `{a,b}` lists multiplied out.

    None if it is empty, has a wildcard, nests lists or stands for more than a thousand names.
    """
    if not pattern or not _SPELLED_OUT.fullmatch(pattern):
        return None
    pieces = _LIST.split(pattern)  # text and lists take turns
    choices = [
        piece.split(",") if position % 2 else [piece] for position, piece in enumerate(pieces)
    ]
    if math.prod(map(len, choices)) > _EXPANSION_LIMIT:
        return None
    return tuple(dict.fromkeys(map("".join, itertools.product(*choices))))
