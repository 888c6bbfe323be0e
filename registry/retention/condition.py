"""What a rule asks of an artifact as a whole, whatever its tags are, before its criteria do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from registry.retention.annotation import AnnotationExpression
from registry.retention.artifact import Artifact
from registry.retention.criterion import Fact
from registry.retention.errors import UnknownFact
from registry.retention.glob import Glob

LABEL: Final = "label"
_WITHOUT_VARIANT: Final = 2  # os/architecture


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
        """Read a selector in which nothing was found."""
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

    def takes(self, artifact: Artifact) -> bool:
        """Say whether an artifact is meant; raise UnknownFact."""
        if artifact.labels is None:
            raise _unknown(self.fact)
        if self.decoration is Decoration.WITH:
            return artifact.labels.issuperset(self.names)
        return artifact.labels.isdisjoint(self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotated:
    """All expressions hold of what the artifact says of itself."""

    expressions: tuple[AnnotationExpression, ...]

    @property
    def fact(self) -> Fact:
        """What has to be known."""
        return Fact.ANNOTATIONS

    def takes(self, artifact: Artifact) -> bool:
        """Say whether an artifact is meant."""
        return all(one.holds(artifact.annotations) for one in self.expressions)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnPlatform:
    """It is for a platform that a glob takes, with its variant or without.

    With `all_of_it` it is for no other: what a delete rule takes goes as a whole.
    """

    globs: tuple[Glob, ...]
    all_of_it: bool

    @property
    def fact(self) -> Fact:
        """What has to be known."""
        return Fact.PLATFORM

    def takes(self, artifact: Artifact) -> bool:
        """Say whether an artifact is meant; raise UnknownFact."""
        if artifact.platforms is None:
            raise _unknown(self.fact)
        taken = [self._means(one) for one in artifact.platforms]
        return all(taken) and bool(taken) if self.all_of_it else any(taken)

    def _means(self, platform: str) -> bool:
        bare = "/".join(platform.split("/")[:_WITHOUT_VARIANT])
        return any(glob.takes(platform) or glob.takes(bare) for glob in self.globs)


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedBy:
    """Somebody pushed it whom a glob takes."""

    globs: tuple[Glob, ...]

    @property
    def fact(self) -> Fact:
        """What has to be known."""
        return Fact.PUSHER

    def takes(self, artifact: Artifact) -> bool:
        """Say whether an artifact is meant; raise UnknownFact."""
        if artifact.pushed_by is None:
            raise _unknown(self.fact)
        return any(glob.takes(artifact.pushed_by) for glob in self.globs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """It weighs more than one size, and less than another; an index weighs what it names."""

    over_bytes: int | None
    under_bytes: int | None

    @property
    def fact(self) -> Fact:
        """What has to be known."""
        return Fact.SIZE

    def takes(self, artifact: Artifact) -> bool:
        """Say whether an artifact is meant."""
        size = artifact.size_bytes
        return (self.over_bytes is None or size > self.over_bytes) and (
            self.under_bytes is None or size < self.under_bytes
        )


Condition = Labelled | Annotated | OnPlatform | PushedBy | Sized


def _unknown(fact: Fact) -> UnknownFact:
    return UnknownFact(f"asks for the {fact}, and the registry does not tell")
