"""A repository in another registry's storage, and where it goes here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from protocol.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Something that was not taken, as people write it, and why."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OldRepository:
    """What the links of one repository say. `skipped` are those that lead nowhere."""

    name: str
    revisions: tuple[Digest, ...]
    tags: Mapping[str, Digest]
    skipped: tuple[Skipped, ...] = ()


def name_here(name: str, *, project: str) -> str:
    """Return where a repository goes: here each is in a project, and `alpine` is in none."""
    return name if "/" in name else f"{project}/{name}"


class TagChange(Enum):
    """What an import does with a tag."""

    NONE = auto()
    MOVE = auto()
    KEEP = auto()


def tag_change(*, here: Digest | None, there: Digest, imported: bool) -> TagChange:
    """Say what to do: a tag that somebody moved here since (not `imported`) stays where it is."""
    if here == there:
        return TagChange.NONE
    return TagChange.MOVE if here is None or imported else TagChange.KEEP
