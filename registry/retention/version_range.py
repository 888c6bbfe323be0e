"""Ranges of versions: `>=1.2 <2`, `^1.4`, `~1.27 || 2.0.1`, in the plain order of versions.

Comparisons beside each other must all hold; of several ranges with `||` between them, one will do.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Self

from registry.retention import version
from registry.retention.version import Version

LENGTH_LIMIT: Final = 256
_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
    "": operator.eq,
}
_FORM: Final = re.compile(r"(?P<sign>>=|<=|[><=^~]?)(?P<version>[^<>=^~\s]+)")
_NUMBERS: Final = re.compile(r"v?([0-9.]+)")
_SIZE: Final = 4
_MINOR: Final = 2


class InvalidRange(ValueError):
    """Not a range of versions; the text says which part is none."""


@dataclass(frozen=True, slots=True)
class _Comparison:
    sign: str
    bound: Version

    def holds(self, found: Version) -> bool:
        return _OPERATORS[self.sign](found, self.bound)


@dataclass(frozen=True, slots=True)
class VersionRange:
    """Some versions; two ranges of the same comparisons are the same."""

    ways: tuple[tuple[_Comparison, ...], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a range; raise InvalidRange."""
        if len(text) > LENGTH_LIMIT:
            raise InvalidRange(f"has {len(text)} characters; {LENGTH_LIMIT} are allowed")
        glued = re.sub(r"([<>=^~])\s+", r"\1", text)
        return cls(tuple(tuple(_comparisons(way)) for way in glued.split("||")))

    def takes(self, name: str) -> bool:
        """Say whether a name is a version that is meant; `_` is read as `+`, as charts have it."""
        found = version.parse(name.replace("_", "+", 1))
        return found is not None and any(all(one.holds(found) for one in way) for way in self.ways)


def _comparisons(way: str) -> Iterator[_Comparison]:
    words = way.replace(",", " ").split()
    if not words:
        raise InvalidRange("a range is empty; `>=0` takes every version")
    for word in words:
        form = _FORM.fullmatch(word)
        bound = version.parse(form["version"]) if form else None
        if form is None or bound is None:
            raise InvalidRange(f"{word[:80]!r} is no comparison; write >=1.2, <2, =1.2.3, ^1 or ~1")
        if form["sign"] in _OPERATORS:
            yield _Comparison(form["sign"], bound)
        else:
            yield _Comparison(">=", bound)
            yield _Comparison("<", _end(form["sign"], form["version"]))


def _end(sign: str, text: str) -> Version:
    """Return what lies behind `^` or `~` of a version, and before its first pre-release.

    `~` holds all but the last number, of two or more; `^` holds up to the first that is not zero.
    """
    said = _NUMBERS.match(text)
    numbers = [int(one) for one in (said[1] if said else "0").strip(".").split(".")]
    if sign == "~":
        held = min(len(numbers), _MINOR) - 1
    else:
        held = next((place for place, one in enumerate(numbers) if one), len(numbers) - 1)
    raised = [*numbers[:held], numbers[held] + 1]
    return tuple(raised + [0] * (_SIZE - len(raised))), 0, ()
