"""Selectors of names that only rules of our own have: by expression, by version."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from registry.retention.expression import Expression, InvalidExpression
from registry.retention.version_range import InvalidRange, VersionRange
from registry.selecting import Decoration, Selector, Subject


class Kind(StrEnum):
    """What the pattern is."""

    REGEX = "regex"
    SEMVER = "semver"


KINDS: Final[Mapping[Subject, frozenset[str]]] = {
    Subject.TAG: frozenset(Kind),
    Subject.REPOSITORY: frozenset({Kind.REGEX}),
}
_MATCHING: Final = frozenset({Decoration.MATCHES, Decoration.REPOSITORY_MATCHES})


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSelector:
    """One condition on a name: an expression that matches all of it, or a range of versions."""

    kind: Kind
    decoration: Decoration
    pattern: str
    _matches: Callable[[str], bool] = field(repr=False, compare=False)

    @classmethod
    def parse(cls, said: Mapping[str, Any]) -> Self:
        """Read a selector in which `problems` found nothing."""
        kind, pattern = Kind(said["kind"]), said["pattern"]
        return cls(
            kind=kind,
            decoration=Decoration(said["decoration"]),
            pattern=pattern,
            _matches=_compiled(kind, pattern),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as it was written."""
        return {
            "kind": self.kind.value,
            "decoration": self.decoration.value,
            "pattern": self.pattern,
        }

    @property
    def is_matching(self) -> bool:
        """Whether it takes what matches, rather than what does not."""
        return self.decoration in _MATCHING

    def takes(self, name: str) -> bool:
        """Say whether one repository, or one tag, is meant."""
        return self._matches(name) is self.is_matching

    def takes_artifact(self, tags: Collection[str]) -> bool:
        """Say whether an artifact with these tags is meant; one without any is."""
        return any(map(self.takes, tags)) if tags else True


NameSelector = Selector | OwnSelector


def problems(said: Mapping[str, Any], subject: Subject, place: str) -> Iterator[str]:
    """Yield a sentence for everything that is wrong with a selector of one of KINDS."""
    decoration, pattern = said.get("decoration"), said.get("pattern")
    if decoration not in subject.value:
        shown = f"{str(decoration)[:80]!r} is not known" if decoration else "is missing"
        yield f"{place}.decoration: {shown}; it is {' or '.join(subject.value)}"
    if not isinstance(pattern, str) or not pattern:
        yield f"{place}.pattern: is missing"
        return
    try:
        _compiled(Kind(said["kind"]), pattern)
    except (InvalidExpression, InvalidRange) as error:
        yield f"{place}.pattern: {error}"


def _compiled(kind: Kind, pattern: str) -> Callable[[str], bool]:
    if kind is Kind.SEMVER:
        return VersionRange.parse(pattern).takes
    expression = Expression.compile(pattern)
    return lambda name: expression.match(name) is not None
