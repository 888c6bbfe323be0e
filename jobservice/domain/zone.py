"""Zones: which workers reach which registries. No zone is the default one."""

from __future__ import annotations

import re
from collections.abc import Iterator

DEFAULT = "default"
GRAMMAR = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def stored(name: str | None) -> str | None:
    """Return how a zone is kept: the default one has no name."""
    return None if name in {None, "", DEFAULT} else name


def of_tasks(source: str | None, destination: str | None) -> str | None:
    """Return where tasks between two registries run: in the one zone that is not the default."""
    return source or destination


def are_apart(source: str | None, destination: str | None) -> bool:
    """Say whether no worker reaches both."""
    return source is not None and destination is not None and source != destination


def problems(name: str | None) -> Iterator[str]:
    """Yield what is wrong with a zone's name."""
    if name is not None and not GRAMMAR.fullmatch(name):
        yield (
            f"transship.zone: {name!r} is no name of a zone; small letters, digits and dashes,"
            " at most 63"
        )
