"""Selectors: which repositories and which tags a rule means, in Harbor's words.

A selector of tags is asked about an artifact: it takes one of which any tag will do. A repository
is asked about by its name within its project (`app`, not `team/app`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, Final, Self

from protocol.doublestar import Pattern
from protocol.errors import InvalidPattern

DOUBLESTAR: Final = "doublestar"
_EXTRAS_LIMIT: Final = 200
_EVERYTHING: Final = "**"


class Decoration(StrEnum):
    """Whether a selector takes what matches or what does not; each subject has its own two."""

    MATCHES = "matches"
    EXCLUDES = "excludes"
    REPOSITORY_MATCHES = "repoMatches"
    REPOSITORY_EXCLUDES = "repoExcludes"


class Subject(Enum):
    """What a selector looks at, and the decorations that mean it."""

    TAG = (Decoration.MATCHES, Decoration.EXCLUDES)
    REPOSITORY = (Decoration.REPOSITORY_MATCHES, Decoration.REPOSITORY_EXCLUDES)


_MATCHING: Final = frozenset({Decoration.MATCHES, Decoration.REPOSITORY_MATCHES})


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """One condition on a name; the pattern is doublestar's, and an empty one matches everything.

    `untagged` says for `matches` whether artifacts without a tag are taken, for `excludes` whether
    they are among what is excluded. None is Harbor's default: both take them.
    """

    decoration: Decoration
    pattern: str
    untagged: bool | None = None
    is_matching: bool = field(init=False, repr=False, compare=False)
    _compiled: Pattern = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the pattern; raise InvalidPattern."""
        object.__setattr__(self, "is_matching", self.decoration in _MATCHING)
        object.__setattr__(self, "_compiled", Pattern.compile(self.pattern or _EVERYTHING))

    @classmethod
    def parse(cls, said: Mapping[str, object], subject: Subject) -> Self:
        """Read Harbor's form; raise InvalidSelector."""
        if found := tuple(problems(said, subject)):
            raise InvalidSelector(found)
        return cls(
            decoration=Decoration(str(said["decoration"])),
            pattern=str(said["pattern"]),
            untagged=_untagged(said.get("extras")),
        )

    def to_json(self) -> dict[str, Any]:
        """Return Harbor's form."""
        said: dict[str, Any] = {
            "kind": DOUBLESTAR,
            "decoration": self.decoration.value,
            "pattern": self.pattern,
        }
        if self.untagged is not None:
            said["extras"] = json.dumps({"untagged": self.untagged}, separators=(",", ":"))
        return said

    def takes(self, name: str) -> bool:
        """Say whether one repository, or one tag, is meant."""
        return self._compiled.matches(name) is self.is_matching

    def takes_artifact(self, tags: Collection[str]) -> bool:
        """Say whether an artifact with these tags is meant."""
        if tags:
            return any(map(self.takes, tags))
        return self.untagged is None or self.untagged is self.is_matching


class InvalidSelector(ValueError):
    """Not a selector; every problem is named."""

    def __init__(self, found: tuple[str, ...]) -> None:
        super().__init__("; ".join(found))
        self.problems = found


def problems(said: Mapping[str, object], subject: Subject, *, place: str = "") -> Iterator[str]:
    """Yield a sentence for everything that is wrong with a selector, each beginning with `place`.

    Fields that are not a selector's are the caller's to name.
    """
    where = f"{place}." if place else ""
    yield from _word_problems(f"{where}kind", said.get("kind"), (DOUBLESTAR,))
    yield from _word_problems(f"{where}decoration", said.get("decoration"), subject.value)
    yield from _pattern_problems(f"{where}pattern", said.get("pattern"))
    yield from _extras_problems(f"{where}extras", said.get("extras"))


def _word_problems(name: str, word: object, known: tuple[str, ...]) -> Iterator[str]:
    if word not in known:
        found = f"{str(word)[:80]!r} is not known" if word else "is missing"
        yield f"{name}: {found}; it is {' or '.join(known)}"


def _pattern_problems(name: str, pattern: object) -> Iterator[str]:
    if not isinstance(pattern, str) or not pattern:
        yield f"{name}: is missing; ** takes everything"
        return
    try:
        Pattern.compile(pattern)
    except InvalidPattern as error:
        yield f"{name}: {error}"


def _extras_problems(name: str, extras: object) -> Iterator[str]:
    try:
        _untagged(extras)
    except ValueError:
        yield f'{name}: {str(extras)[:80]!r} is neither empty nor {{"untagged":true}} or false'


def _untagged(extras: object) -> bool | None:
    """Return what `extras` says, None if nothing; raise ValueError."""
    if extras is None or extras == "":
        return None
    text = str(extras)
    match json.loads(text) if len(text) <= _EXTRAS_LIMIT else None:
        case {"untagged": bool(untagged), **others} if not others:
            return untagged
        case {**others} if not others:
            return None
        case _:
            raise ValueError
