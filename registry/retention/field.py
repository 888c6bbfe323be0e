"""Fields that both forms of rules have: what may be wrong with them, and what they come to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from registry import selecting
from registry.retention import condition, name_selector
from registry.retention.condition import Condition, Decoration, Labelled
from registry.retention.name_selector import NameSelector, OwnSelector
from registry.selecting import Selector, Subject

SELECTORS_LIMIT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Selectors as they were listed, told apart: by names, and by what artifacts are."""

    listed: tuple[NameSelector | Labelled, ...]

    @classmethod
    def parse(cls, said: Collection[Mapping[str, Any]], subject: Subject) -> Self:
        """Read a list in which `selector_problems` found nothing."""
        return cls(listed=tuple(_selector(one, subject) for one in said))

    @property
    def names(self) -> tuple[NameSelector, ...]:
        """Those that look at names."""
        return tuple(one for one in self.listed if not isinstance(one, Labelled))

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Those that look at the artifact."""
        return tuple(one for one in self.listed if isinstance(one, Labelled))

    def to_json(self) -> list[dict[str, Any]]:
        """Return them as they were written."""
        return [one.to_json() for one in self.listed]


def _selector(said: Mapping[str, Any], subject: Subject) -> NameSelector | Labelled:
    if said["kind"] == condition.LABEL:
        return Labelled.parse(said)
    if said["kind"] in name_selector.KINDS[subject]:
        return OwnSelector.parse(said)
    return Selector.parse(said, subject)


def selector_problems(
    said: object, subject: Subject, place: str, *, own: bool = False
) -> Iterator[str]:
    """Yield a sentence for everything that is wrong with a list of selectors.

    Rules of our `own` have kinds of their own.
    """
    if not isinstance(said, list) or not said:
        yield f"{place}: is missing; it is a list of selectors, at least one"
        return
    if len(said) > SELECTORS_LIMIT:
        yield f"{place}: has {len(said)} selectors; {SELECTORS_LIMIT} are allowed"
        return
    for index, one in enumerate(said):
        where = f"{place}[{index}]"
        if not isinstance(one, dict):
            yield f"{where}: is not an object"
        elif one.get("kind") == condition.LABEL and subject is Subject.TAG:
            yield from _label_problems(one, where)
        elif own and str(one.get("kind")) in name_selector.KINDS[subject]:
            yield from name_selector.problems(one, subject, where)
        else:
            yield from selecting.problems(one, subject, place=where)


def _label_problems(said: Mapping[str, Any], place: str) -> Iterator[str]:
    decoration, pattern = said.get("decoration"), said.get("pattern")
    if decoration not in [*Decoration]:
        shown = f"{str(decoration)[:80]!r} is not known" if decoration else "is missing"
        yield f"{place}.decoration: {shown}; it is {' or '.join(Decoration)}"
    if not isinstance(pattern, str) or not pattern:
        yield f"{place}.pattern: is missing; it is names of labels, separated by commas"
    elif any(not name or name != name.strip() for name in pattern.split(",")):
        yield (
            f"{place}.pattern: {pattern[:80]!r} has an empty name, or one that begins or ends with"
            " a space"
        )
    if said.get("extras"):
        yield f"{place}.extras: a selector by labels has none"


def number_problems(place: str, value: object, least: int, most: int) -> Iterator[str]:
    """Yield a sentence unless the value is a whole number within the limits."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        yield f"{place}: {str(value)[:80]!r} is not a whole number"
    elif not least <= value <= most:
        yield f"{place}: {str(value)[:80]} is not between {least} and {most}"


def unknown_problems(said: Mapping[str, Any], known: Collection[str], place: str) -> Iterator[str]:
    """Yield a sentence for every field that is not known."""
    for name in said:
        if name not in known:
            yield f"{place}.{str(name)[:80]}: is not known; known are {', '.join(known)}"
