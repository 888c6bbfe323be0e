"""A garbage collection: what it is asked to do, as Harbor says it, and how far it came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self

VENDOR_TYPE: Final = "GARBAGE_COLLECTION"
DELETE_UNTAGGED: Final = "delete_untagged"
DRY_RUN: Final = "dry_run"
WORKERS: Final = "workers"
MOST_WORKERS: Final = 10
# What Harbor has no parameter for stands in an object of this name.
OURS: Final = "transship"
RELEASE_NOW: Final = "release_now"
WORDS_KEPT: Final = 3
AFTER_WINDOW: Final = "after_window"
STAYS: Final = "stay for now (pushed or used lately, pinned, held, or busy)"
FOR_GOOD: Final = (
    "; the window was not waited for: what is freed cannot be put back, and a database of before "
    "that is restored without a backup's objects misses it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionParameters:
    """What one run does. `release_now` skips the review delay and the window, by hand only."""

    delete_untagged: bool = False
    dry_run: bool = False
    workers: int = 1
    release_now: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return Harbor's form, which a schedule and an execution keep."""
        ours = {OURS: {RELEASE_NOW: True}} if self.release_now else {}
        return {
            DELETE_UNTAGGED: self.delete_untagged,
            DRY_RUN: self.dry_run,
            WORKERS: self.workers,
            **ours,
        }

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        """Read Harbor's form, in which `problems` found nothing."""
        return cls(
            delete_untagged=bool(value.get(DELETE_UNTAGGED)),
            dry_run=bool(value.get(DRY_RUN)),
            workers=value.get(WORKERS, 1),
            release_now=bool((value.get(OURS) or {}).get(RELEASE_NOW)),
        )


def problems(value: Mapping[str, Any], *, by_hand: bool) -> Iterator[str]:
    """Yield what is wrong with Harbor's form, a sentence each."""
    for name in (DELETE_UNTAGGED, DRY_RUN):
        if not isinstance(value.get(name, False), bool):
            yield f"parameters.{name}: is neither true nor false"
    workers = value.get(WORKERS, 1)
    if (
        not isinstance(workers, int)
        or isinstance(workers, bool)
        or not 1 <= workers <= MOST_WORKERS
    ):
        yield f"parameters.{WORKERS}: is not a number from 1 to {MOST_WORKERS}"
    yield from _own_problems(value.get(OURS), by_hand=by_hand)


def _own_problems(value: object, *, by_hand: bool) -> Iterator[str]:
    place = f"parameters.{OURS}"
    if value is None:
        return
    if not isinstance(value, Mapping):
        yield f"{place}: is no object"
        return
    for name in value:
        if name != RELEASE_NOW:
            yield f"{place}.{str(name)[:80]}: is not known; known is {RELEASE_NOW}"
    wanted = value.get(RELEASE_NOW, False)
    if not isinstance(wanted, bool):
        yield f"{place}.{RELEASE_NOW}: is neither true nor false"
    elif wanted and not by_hand:
        yield f"{place}.{RELEASE_NOW}: is for a run by hand (schedule.type Manual) only"


class Phase(StrEnum):
    """What a run is at, in this order."""

    UNTAGGED = "untagged"
    REVIEW = "review"
    SWEEP = "sweep"
    DONE = "done"

    @property
    def following(self) -> Phase:
        """What comes next; nothing comes after the last."""
        phases = list(Phase)
        return phases[min(phases.index(self) + 1, len(phases) - 1)]


@dataclass(slots=True, kw_only=True)
class Account:
    """What a run did so far, or would do; a run that is resumed goes on with it.

    `queued_until` is where queuing untagged manifests goes on. `freed_bytes` are those of deleted
    objects, `collected_bytes` those of blobs whose rows went: their objects go after the window.
    """

    phase: Phase = Phase.UNTAGGED
    queued_until: int = 0
    manifests: int = 0
    links: int = 0
    blobs: int = 0
    collected_bytes: int = 0
    kept: int = 0
    objects: int = 0
    freed_bytes: int = 0
    refused: int = 0
    words: list[str] = field(default_factory=list)
    reclaimable: Mapping[str, Mapping[str, int]] | None = None

    @classmethod
    def of(cls, value: Mapping[str, Any] | None) -> Self:
        """Read what `to_json` wrote; None is a run that has not begun."""
        if value is None:
            return cls()
        return cls(**{**value, "phase": Phase(value["phase"])})

    def resume(self) -> None:
        """Begin again after the end: somebody lets a run try again that met refusals."""
        if self.phase is Phase.DONE:
            self.phase = Phase.UNTAGGED
            self.queued_until = self.refused = 0
            self.words = []

    def to_json(self) -> dict[str, Any]:
        """Return the form that a task keeps as its checkpoint."""
        return asdict(self)

    def foresee(self, kind: str, size: int) -> None:
        """Count something that would go."""
        if kind == "manifest":
            self.manifests += 1
        else:
            self.blobs += 1
            self.collected_bytes += size

    def refuse(self, key: str, words: str) -> None:
        """Count an object that the storage would not delete; the first few keep its words."""
        self.refused += 1
        if len(self.words) < WORDS_KEPT:
            self.words.append(f"{key}: {words}")

    def sentence(self, asked: CollectionParameters) -> str:
        """Return what a run that ended came to."""
        verb = "would go" if asked.dry_run else "collected"
        text = f"{self.manifests} manifests and {self.blobs} blobs {verb}"
        if asked.dry_run:
            return f"{text}, {self.collected_bytes} bytes"
        waiting = (self.reclaimable or {}).get(AFTER_WINDOW, {}).get("bytes", 0)
        later = f"; {waiting} more wait for their window" if waiting else ""
        kept = f"; {self.kept} {STAYS}" if self.kept else ""
        lost = FOR_GOOD if asked.release_now and self.objects else ""
        return f"{text}, {self.freed_bytes} bytes freed{later}{kept}{lost}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """A manifest that was deleted with its tags, or a tag that was deleted alone, before `until`.

    `kind` is `manifest` or `tag`; of a tag, `digest` is what it led to, and type and size are None.
    """

    id: int
    kind: str
    repository: str
    digest: str
    media_type: str | None
    artifact_type: str | None
    tags: tuple[str, ...]
    size_bytes: int | None
    pushed_at: datetime
    deleted_at: datetime
    deleted_by: str
    reason: str
    until: datetime

    @property
    def tag(self) -> str | None:
        """The tag that was deleted alone; None for a manifest."""
        return self.tags[0] if self.kind == "tag" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An object that the storage would not delete, with its words, and when it is tried again."""

    object: str
    bytes: int
    attempts: int
    words: str
    again_at: datetime
