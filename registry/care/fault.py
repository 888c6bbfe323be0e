"""What an audit of this registry can find, and what it went through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from typing_extensions import override

from protocol.digest import Digest


class Fault(StrEnum):
    """One kind of thing that is not as it should be."""

    MISSING = "missing"
    WRONG_SIZE = "wrong_size"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"
    FOUND_AGAIN = "found_again"
    MANIFEST_DAMAGED = "manifest_damaged"
    DANGLING = "dangling"
    ORPHAN = "orphan"
    ABANDONED = "abandoned"

    @property
    def is_loss(self) -> bool:
        """Whether a blob's bytes are lost here, so that somebody has to bring them again."""
        return self in {Fault.MISSING, Fault.WRONG_SIZE, Fault.DAMAGED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A manifest that needs what is lost, and some of its tags."""

    repository: str
    digest: Digest
    tags: Sequence[str] = ()

    @override
    def __str__(self) -> str:
        """Return the references that somebody would pull it by."""
        names = [f"{self.repository}:{tag}" for tag in self.tags]
        return ", ".join(names) or f"{self.repository}@{self.digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong: `subject` is a digest, or the key of an object.

    `breaks` are some of the `breaks_count` manifests that cannot be pulled whole because of it.
    """

    fault: Fault
    subject: str
    reason: str
    size_bytes: int = 0
    breaks: Sequence[Broken] = ()
    breaks_count: int = 0
    is_repaired: bool = False

    @property
    def is_open(self) -> bool:
        """Whether somebody has to do something: a loss stays one until the bytes are back."""
        return self.fault.is_loss or not self.is_repaired


@dataclass(slots=True, kw_only=True)
class Seen:
    """What an audit went through so far."""

    blobs: int = 0
    blob_bytes: int = 0
    hashed_bytes: int = 0
    objects: int = 0
    object_bytes: int = 0
    manifests: int = 0
    partials: int = 0
    faults: Counter[Fault] = field(default_factory=Counter)
    open: int = 0

    def note(self, finding: Finding) -> Finding:
        """Count a finding."""
        self.faults[finding.fault] += 1
        self.open += finding.is_open
        return finding
