"""Versions in tags, in the order of https://semver.org, read with some tolerance.

A `v` may lead, and one to four numbers will do: `v1.27`, `3.18.4-rc.1`, `1.2.3+build`. Numbers
that are not said are zero. Build metadata does not count.
"""

from __future__ import annotations

import re
from typing import Final

Version = tuple[tuple[int, ...], int, tuple[tuple[int, int, str], ...]]

_NUMBERS: Final = 4
_FORM: Final = re.compile(
    r"v?(?P<numbers>[0-9]+(?:\.[0-9]+){0,3})"
    r"(?:-(?P<before>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
    r"(?:\+[0-9A-Za-z.-]+)?"
)


def parse(text: str) -> Version | None:
    """Return what sorts as the version does; None if it is none."""
    form = _FORM.fullmatch(text)
    if form is None:
        return None
    numbers = [int(number) for number in form["numbers"].split(".")]
    padded = tuple(numbers + [0] * (_NUMBERS - len(numbers)))
    before = form["before"]
    if before is None:
        return padded, 1, ()
    return padded, 0, tuple(map(_identifier, before.split(".")))


def _identifier(text: str) -> tuple[int, int, str]:
    """Return what sorts numbers by value and before words."""
    return (0, int(text), "") if text.isascii() and text.isdigit() else (1, 0, text)
