"""What a rule asks of an artifact as a whole, whatever its tags are, before its criteria do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from registry.retention.criterion import Fact
from registry.retention.errors import UnknownFact
from registry.retention.unit import Unit

LABEL: Final = "label"


class Decoration(StrEnum):
    """Whether a selector by labels takes what has all of them, or what has none."""

    WITH = "withLabels"
    WITHOUT = "withoutLabels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Harbor's selector by labels: their names, whoever's they are."""

    decoration: Decoration
    names: tuple[str, ...]

    @classmethod
    def parse(cls, said: Mapping[str, Any]) -> Self:
        """Read a selector in which `label_problems` found nothing."""
        return cls(
            decoration=Decoration(said["decoration"]), names=tuple(said["pattern"].split(","))
        )

    def to_json(self) -> dict[str, Any]:
        """Return Harbor's form."""
        pattern = ",".join(self.names)
        return {"kind": LABEL, "decoration": self.decoration.value, "pattern": pattern}

    @property
    def fact(self) -> Fact:
        """What has to be known."""
        return Fact.LABELS

    def takes(self, unit: Unit) -> bool:
        """Say whether an artifact is meant; raise UnknownFact."""
        if unit.labels is None:
            raise _unknown(self.fact)
        if self.decoration is Decoration.WITH:
            return unit.labels.issuperset(self.names)
        return unit.labels.isdisjoint(self.names)


Condition = Labelled


def _unknown(fact: Fact) -> UnknownFact:
    return UnknownFact(f"asks for the {fact}, and the registry does not tell")


def label_problems(said: Mapping[str, Any], place: str) -> Iterator[str]:
    """Yield a sentence for everything that is wrong with a selector by labels."""
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
