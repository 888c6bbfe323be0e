"""A transfer: one root artifact with some of its tags, on its way to one destination repository."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from protocol.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What one task carries out; its JSON form is the task's parameters.

    No tags: the artifact is copied under its digest alone. `fresh` says that the plan saw nothing
    of the repository at the destination, so that asking what is there first would be a waste;
    clear it for a second attempt. `companions` are the source repository's tags that only accompany
    an artifact (cosign's, the referrers fallback); None if the copy has to look for them itself.
    """

    source_repository: str
    destination_repository: str
    digest: Digest
    tags: tuple[str, ...] = ()
    fresh: bool = False
    companions: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "source_repository": self.source_repository,
            "destination_repository": self.destination_repository,
            "digest": str(self.digest),
            "tags": list(self.tags),
            "fresh": self.fresh,
            "companions": None if self.companions is None else list(self.companions),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        companions = value["companions"]
        return cls(
            source_repository=value["source_repository"],
            destination_repository=value["destination_repository"],
            digest=Digest.parse(value["digest"]),
            tags=tuple(value["tags"]),
            fresh=value["fresh"],
            companions=None if companions is None else tuple(companions),
        )

    @property
    def source(self) -> str:
        """The source as people write it: the repository with its tags, or with the digest."""
        return f"{self.source_repository}:{','.join(self.tags)}" if self.tags else self.by_digest

    @property
    def by_digest(self) -> str:
        """The source by its digest."""
        return f"{self.source_repository}@{self.digest}"


class Outcome(StrEnum):
    """How a transfer that did not fail ended."""

    COPIED = "copied"
    UP_TO_DATE = "up to date"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferReport:
    """What one transfer moved and what it did not have to move.

    `omitted` names what the artifact has and the destination does not get, with the reason: foreign
    layers, referrers that the destination refuses.
    """

    transfer: Transfer
    outcome: Outcome
    bytes_copied: int = 0
    bytes_saved: int = 0
    blobs_copied: int = 0
    blobs_mounted: int = 0
    blobs_skipped: int = 0
    manifests_copied: int = 0
    manifests_skipped: int = 0
    tags_written: int = 0
    referrers_copied: int = 0
    omitted: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the numbers and notes as JSON, without the transfer itself."""
        return {
            "outcome": self.outcome,
            "bytes_copied": self.bytes_copied,
            "bytes_saved": self.bytes_saved,
            "blobs_copied": self.blobs_copied,
            "blobs_mounted": self.blobs_mounted,
            "blobs_skipped": self.blobs_skipped,
            "manifests_copied": self.manifests_copied,
            "manifests_skipped": self.manifests_skipped,
            "tags_written": self.tags_written,
            "referrers_copied": self.referrers_copied,
            "omitted": list(self.omitted),
        }
