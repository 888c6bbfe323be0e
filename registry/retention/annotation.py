"""Expressions about what an artifact says of itself: `key`, `!key`, `key=glob`, `key!=glob`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from registry.retention.glob import Glob

LENGTH_LIMIT: Final = 1024
_FORM: Final = re.compile(r"(?P<not>!?)(?P<key>[^\s=!]+)(?:(?P<sign>!?=)(?P<pattern>.+))?")


class InvalidAnnotation(ValueError):
    """Not an expression; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationExpression:
    """One expression. Without a glob it asks whether the key is there.

    A `negated` one holds where the same without the `!` does not: `key!=glob` also where there is
    no such key.
    """

    text: str
    key: str
    glob: Glob | None
    negated: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an expression; raise InvalidAnnotation, InvalidPattern."""
        form = _FORM.fullmatch(text) if len(text) <= LENGTH_LIMIT else None
        if form is None or (form["not"] and form["sign"]):
            raise InvalidAnnotation(f"{text[:80]!r} is not key, !key, key=glob or key!=glob")
        pattern = form["pattern"]
        return cls(
            text=text,
            key=form["key"],
            glob=Glob.compile(pattern) if pattern else None,
            negated=bool(form["not"]) or form["sign"] == "!=",
        )

    def holds(self, annotations: Mapping[str, str]) -> bool:
        """Say whether it holds."""
        value = annotations.get(self.key)
        found = value is not None and (self.glob is None or self.glob.takes(value))
        return found is not self.negated
