"""Time zones by their names in the IANA database, the same on every machine."""

from __future__ import annotations

import difflib
from functools import cache
from importlib import resources
from typing import Final
from zoneinfo import ZoneInfo

from jobservice.errors import InvalidRequest

UTC_NAME: Final = "UTC"
NAME_LIMIT: Final = 64


def named(name: str) -> ZoneInfo:
    """Return a time zone; raise InvalidRequest for a name that the IANA database does not have."""
    if name not in names():
        raise InvalidRequest([_problem(name)])
    return ZoneInfo(name)


@cache
def names() -> frozenset[str]:
    """Return every name, from the copy of the database that this installation brings along."""
    return frozenset((resources.files("tzdata") / "zones").read_text().split())


def _problem(name: str) -> str:
    if len(name) > NAME_LIMIT:
        return f"has {len(name)} characters, no time zone's name has more than {NAME_LIMIT}"
    by_lower = {known.lower(): known for known in names()}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1)
    hint = f"; did you mean {by_lower[near[0]]}?" if near else ", as in Europe/Berlin"
    return f"{name!r} is no time zone's name{hint}"
