"""The plan: which artifacts of a listing become transfers, and why the others do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from typing_extensions import override

from protocol import referrers
from protocol.content import ListedArtifact
from protocol.digest import Digest
from replication.filters import UNTAGGED, Selection
from replication.transfer import Transfer

_EXAMPLES: Final = 10


class SkipReason(StrEnum):
    """Why something that was listed is not copied."""

    REPOSITORY_FILTERED = "the name filters leave the repository out"
    TAG_FILTERED = "the tag filters leave the tag out"
    UP_TO_DATE = "up to date"
    EXISTS = "the destination has the tag with other content, and override is off"
    ACCOMPANIES = "travels with the artifact that it accompanies"
    GONE = "gone from the source since it was listed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """Something that was listed and is not copied; `reference` is a tag, a digest or empty."""

    reason: SkipReason
    repository: str
    reference: str = ""

    @override
    def __str__(self) -> str:
        separator = "@" if ":" in self.reference else ":"
        return f"{self.repository}{separator if self.reference else ''}{self.reference}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFailure:
    """A repository, or one reference in it, that could not be planned; the others go on."""

    repository: str
    reference: str = ""
    cause: Exception

    @override
    def __str__(self) -> str:
        what = f"{self.repository}{':' if self.reference else ''}{self.reference}"
        return f"{what}: {self.cause}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much was listed and how much of it the filters took."""

    repositories_listed: int = 0
    repositories_matched: int = 0
    artifacts_listed: int = 0
    artifacts_matched: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            repositories_listed=self.repositories_listed + other.repositories_listed,
            repositories_matched=self.repositories_matched + other.repositories_matched,
            artifacts_listed=self.artifacts_listed + other.artifacts_listed,
            artifacts_matched=self.artifacts_matched + other.artifacts_matched,
        )

    @override
    def __str__(self) -> str:
        return (
            f"{self.repositories_matched} of {self.repositories_listed} repositories and"
            f" {self.artifacts_matched} of {self.artifacts_listed} tags matched"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A tag, or an untagged artifact, that the filters take; its digest once it is known."""

    tag: str | None
    digest: Digest | None = None

    @property
    def reference(self) -> str:
        """How to ask for it."""
        return str(self.digest) if self.tag is None else self.tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A page of a listing after the filters."""

    wanted: tuple[Wanted, ...]
    skips: tuple[Skip, ...]


def choose(artifacts: Iterable[ListedArtifact], selection: Selection, *, accompany: bool) -> Choice:
    """Return what the filters take of a page; `accompany` leaves companion tags to their subjects.

    Tags are kept once each, in the order of the listing.
    """
    wanted: dict[str, Wanted] = {}
    skips: list[Skip] = []
    for artifact in artifacts:
        for candidate in _candidates(artifact):
            reason = _refusal(candidate, selection, accompany=accompany)
            if reason is None:
                wanted.setdefault(candidate.reference, candidate)
            else:
                reference = candidate.reference
                skips.append(
                    Skip(reason=reason, repository=artifact.repository, reference=reference)
                )
    return Choice(wanted=tuple(wanted.values()), skips=tuple(skips))


def _candidates(artifact: ListedArtifact) -> Iterable[Wanted]:
    if artifact.tags:
        return [Wanted(tag=tag, digest=artifact.digest) for tag in artifact.tags]
    return [Wanted(tag=None, digest=artifact.digest)] if artifact.digest else []


def _refusal(candidate: Wanted, selection: Selection, *, accompany: bool) -> SkipReason | None:
    if accompany and candidate.tag and referrers.is_companion_tag(candidate.tag):
        return SkipReason.ACCOMPANIES
    if not selection.takes_tag(candidate.tag or UNTAGGED):
        return SkipReason.TAG_FILTERED
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """From which repository to which, and what the plan knows of both.

    `standing` maps references to what the destination has under them. `fresh` and `companions` as
    in Transfer.
    """

    source: str
    destination: str
    standing: Mapping[str, Digest] = field(default_factory=dict)
    fresh: bool = False
    companions: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Source against destination: what differs, what is equal, what may not be replaced."""

    differing: tuple[Wanted, ...]
    equal: tuple[Wanted, ...]
    kept: tuple[Wanted, ...]

    @property
    def settled(self) -> frozenset[Digest]:
        """The digests that are up to date and move nowhere: their referrers are to be looked at."""
        moving = {wanted.digest for wanted in self.differing}
        return frozenset(w.digest for w in self.equal if w.digest and w.digest not in moving)


def compare(wanted: Iterable[Wanted], route: Route, *, override: bool) -> Comparison:
    """Compare resolved references with what stands at the destination."""
    differing: list[Wanted] = []
    equal: list[Wanted] = []
    kept: list[Wanted] = []
    for one in wanted:
        there = route.standing.get(one.reference)
        if there is not None and there == one.digest:
            equal.append(one)
        elif there is None or override:
            differing.append(one)
        else:
            kept.append(one)
    return Comparison(differing=tuple(differing), equal=tuple(equal), kept=tuple(kept))


def transfers(
    comparison: Comparison, route: Route, *, lagging: AbstractSet[Digest] = frozenset()
) -> tuple[Transfer, ...]:
    """Return one transfer per digest, with all its tags.

    `lagging` are digests that are up to date themselves and miss referrers at the destination.
    """
    behind = (one for one in comparison.equal if one.digest in lagging)
    tags: dict[Digest, list[str]] = {}
    for one in (*comparison.differing, *behind):
        if one.digest is not None:
            tags.setdefault(one.digest, []).extend([one.tag] if one.tag else [])
    return tuple(
        Transfer(
            source_repository=route.source,
            destination_repository=route.destination,
            digest=digest,
            tags=tuple(names),
            fresh=route.fresh,
            companions=route.companions,
        )
        for digest, names in tags.items()
    )


def skips(
    comparison: Comparison, route: Route, *, lagging: AbstractSet[Digest] = frozenset()
) -> tuple[Skip, ...]:
    """Return what is not copied, with its reason."""
    pairs = [
        *((SkipReason.UP_TO_DATE, one) for one in comparison.equal if one.digest not in lagging),
        *((SkipReason.EXISTS, one) for one in comparison.kept),
    ]
    return tuple(
        Skip(reason=reason, repository=route.source, reference=one.reference)
        for reason, one in pairs
    )


@dataclass(slots=True)
class SkipTally:
    """Skips by reason: how many, and a few examples of each."""

    counts: Counter[SkipReason] = field(default_factory=Counter)
    examples: dict[SkipReason, list[str]] = field(default_factory=dict)

    def add(self, found: Iterable[Skip]) -> None:
        """Count skips."""
        for skip in found:
            self.counts[skip.reason] += 1
            shown = self.examples.setdefault(skip.reason, [])
            if len(shown) < _EXAMPLES:
                shown.append(str(skip))
