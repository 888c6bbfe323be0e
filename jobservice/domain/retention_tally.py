"""What the task of one repository has done so far: the content of its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

# So many deleted artifacts are named to hooks.
NAMED: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """One thing that was deleted: an artifact with its tags, or one tag; then it freed nothing."""

    digest: str
    tags: tuple[str, ...]
    size_bytes: int
    is_tag: bool = False

    @property
    def shown(self) -> str:
        """Its first tag, or its digest."""
        return self.tags[0] if self.tags else self.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts over all tries of a task: artifacts, and tags that went alone.

    The first that were deleted are `named`.
    """

    deleted: int = 0
    untagged: int = 0
    deleted_bytes: int = 0
    named: tuple[str, ...] = ()
    is_told: bool = False

    @classmethod
    def of(cls, checkpoint: Mapping[str, Any] | None) -> Self:
        """Read what `to_json` wrote; nothing was done without it."""
        if checkpoint is None:
            return cls()
        return cls(**{**checkpoint, "named": tuple(checkpoint["named"])})

    def to_json(self) -> dict[str, Any]:
        """Return the form that the task keeps."""
        return {
            "deleted": self.deleted,
            "untagged": self.untagged,
            "deleted_bytes": self.deleted_bytes,
            "named": list(self.named),
            "is_told": self.is_told,
        }

    @property
    def is_empty(self) -> bool:
        """Whether nothing was deleted."""
        return not (self.deleted or self.untagged)

    def plus(self, gone: Sequence[Gone]) -> Self:
        """Return the tally after more was deleted."""
        artifacts = [one for one in gone if not one.is_tag]
        room = max(0, NAMED - len(self.named))
        return replace(
            self,
            deleted=self.deleted + len(artifacts),
            untagged=self.untagged + len(gone) - len(artifacts),
            deleted_bytes=self.deleted_bytes + sum(one.size_bytes for one in artifacts),
            named=(*self.named, *(one.shown for one in gone[:room])),
        )
