"""The running count of one transfer, told on to whoever listens."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from protocol.descriptor import Descriptor
from replication.progress import ProgressListener
from replication.transfer import Outcome, Transfer, TransferReport


class Settled(StrEnum):
    """How a blob came to be at the destination."""

    COPIED = "copied"
    MOUNTED = "mounted"
    SKIPPED = "skipped"


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts while a transfer goes on; `report` freezes it."""

    transfer: Transfer
    listener: ProgressListener
    bytes_copied: int = 0
    bytes_saved: int = 0
    blobs: dict[Settled, int] = field(default_factory=lambda: dict.fromkeys(Settled, 0))
    manifests_copied: int = 0
    manifests_skipped: int = 0
    tags_written: int = 0
    referrers_copied: int = 0
    omitted: dict[str, None] = field(default_factory=dict)

    def found(self, blob: Descriptor) -> None:
        """Count a blob that has to be at the destination."""
        self.listener.blob_found(self.transfer, blob)

    def moved(self, blob: Descriptor, count_bytes: int) -> None:
        """Count bytes that went over, or came back when negative."""
        self.bytes_copied += count_bytes
        self.listener.blob_moved(self.transfer, blob, count_bytes)

    def settled(self, blob: Descriptor, how: Settled) -> None:
        """Count a blob that is at the destination now."""
        self.blobs[how] += 1
        if how is not Settled.COPIED:
            self.bytes_saved += blob.size_bytes
        self.listener.blob_settled(self.transfer, blob, how)

    def written(self, reference: str, *, manifest: bool, tag: bool) -> None:
        """Count a put that brought a new manifest, a tag, or both."""
        self.manifests_copied += manifest
        self.tags_written += tag
        self.listener.manifest_written(self.transfer, reference)

    def omit(self, what: str) -> None:
        """Note what the destination does not get, and why; once each."""
        self.omitted[what] = None

    def report(self) -> TransferReport:
        """Return the counts as they stand."""
        moved = self.manifests_copied or self.tags_written or self.blobs[Settled.COPIED]
        return TransferReport(
            transfer=self.transfer,
            outcome=Outcome.COPIED if moved else Outcome.UP_TO_DATE,
            bytes_copied=self.bytes_copied,
            bytes_saved=self.bytes_saved,
            blobs_copied=self.blobs[Settled.COPIED],
            blobs_mounted=self.blobs[Settled.MOUNTED],
            blobs_skipped=self.blobs[Settled.SKIPPED],
            manifests_copied=self.manifests_copied,
            manifests_skipped=self.manifests_skipped,
            tags_written=self.tags_written,
            referrers_copied=self.referrers_copied,
            omitted=tuple(self.omitted),
        )
