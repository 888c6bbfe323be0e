"""What a one-shot command did, summed up."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from replication.transfer import Outcome, TransferReport


@dataclass(slots=True, kw_only=True)
class Totals:
    """Counts over all artifacts of one command."""

    copied: int = 0
    up_to_date: int = 0
    planned: int = 0
    failed: int = 0
    skipped: int = 0
    bytes_copied: int = 0
    bytes_saved: int = 0
    blobs_copied: int = 0
    blobs_mounted: int = 0
    blobs_skipped: int = 0
    referrers_copied: int = 0
    source_requests: int = 0
    destination_requests: int = 0
    seconds: float = 0.0

    @property
    def seen(self) -> int:
        """How many artifacts there were to look at."""
        return self.copied + self.up_to_date + self.failed + self.planned

    def add(self, report: TransferReport) -> None:
        """Count one artifact that did not fail."""
        if report.outcome is Outcome.COPIED:
            self.copied += 1
        else:
            self.up_to_date += 1
        self.bytes_copied += report.bytes_copied
        self.bytes_saved += report.bytes_saved
        self.blobs_copied += report.blobs_copied
        self.blobs_mounted += report.blobs_mounted
        self.blobs_skipped += report.blobs_skipped
        self.referrers_copied += report.referrers_copied

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON."""
        numbers = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**numbers, "artifacts": self.seen, "seconds": round(self.seconds, 3)}
