"""A doublestar pattern that rules have outside of selectors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from protocol.doublestar import Pattern


@dataclass(frozen=True, slots=True)
class Glob:
    """Takes names; two of the same text are the same."""

    text: str
    _compiled: Pattern = field(repr=False, compare=False)

    @classmethod
    def compile(cls, text: str) -> Self:
        """Return what a pattern means; raise InvalidPattern."""
        return cls(text, Pattern.compile(text))

    def takes(self, name: str) -> bool:
        """Say whether a name is meant."""
        return self._compiled.matches(name)
