"""What a copy is given besides the two ends: shared knowledge, limits, ears and a fence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from replication.companions import CompanionTags
from replication.limits import Bandwidth, Limits
from replication.memory import DestinationMemory
from replication.progress import SILENCE, ProgressListener


async def unfenced() -> None:
    """Let every commit pass: nobody else can hold this work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyContext:
    """How transfers between two registries are carried out.

    `memory` belongs to the destination registry and `companions` to the source: share them between
    all transfers of a process. `before_commit` is awaited before every manifest or tag is put, and
    again after whatever a request waits for; what it raises stops the transfer with nothing more
    written. `force` walks and writes everything
    again. `blob_attempts` counts tries per blob: the second comes at once, then
    `retry_seconds` scales the growing pauses.
    """

    memory: DestinationMemory = field(default_factory=DestinationMemory)
    companions: CompanionTags = field(default_factory=CompanionTags)
    limits: Limits = field(default_factory=Limits)
    bandwidth: Bandwidth | None = None
    listener: ProgressListener = SILENCE
    before_commit: Callable[[], Awaitable[None]] = unfenced
    referrers: bool = True
    force: bool = False
    blobs_at_once: int = 4
    blob_attempts: int = 4
    retry_seconds: float = 0.2
