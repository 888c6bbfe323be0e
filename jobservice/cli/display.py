"""The contract of what a one-shot command shows while it works, and the words that all share."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from jobservice.cli.errand import Errand
from jobservice.cli.totals import Totals
from replication.progress import ProgressListener
from replication.transfer import TransferReport

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP: Final = 1024


class Display(ProgressListener, AbstractContextManager[Any], Protocol):
    """Listens to the copying, and is told besides what the copying itself does not know.

    Within its context it may hold the terminal; `summary` comes after that.
    """

    def expected(self, artifacts: int) -> None:
        """Say that so many more artifacts are to be looked at."""
        ...

    def planned(self, errand: Errand) -> None:
        """Show what a dry run would carry out."""
        ...

    def ended(self, errand: Errand, report: TransferReport) -> None:
        """Show an artifact that is at the destination now."""
        ...

    def failed(self, errand: Errand, error: Exception) -> None:
        """Show an artifact that was not copied, with the reason."""
        ...

    def skipped(self, what: str, reason: str) -> None:
        """Show something that is left out, with the reason."""
        ...

    def summary(self, totals: Totals) -> None:
        """Show the end."""
        ...


def size(count_bytes: float) -> str:
    """Return a number of bytes as people read it."""
    for unit in _UNITS[:-1]:
        if abs(count_bytes) < _STEP:
            return f"{count_bytes:.0f} {unit}" if unit == "B" else f"{count_bytes:.1f} {unit}"
        count_bytes /= _STEP
    return f"{count_bytes:.1f} {_UNITS[-1]}"


def arrow(errand: Errand) -> str:
    """Return where an artifact goes from and to."""
    return f"{errand.source} -> {errand.destination}"


def details(report: TransferReport) -> str:
    """Return what one artifact took, leaving out what is nought."""
    parts = [
        f"{size(report.bytes_copied)} moved" if report.bytes_copied else "",
        f"{size(report.bytes_saved)} not moved again" if report.bytes_saved else "",
        f"{report.blobs_mounted} blobs mounted" if report.blobs_mounted else "",
        f"{report.referrers_copied} referrers" if report.referrers_copied else "",
        *(f"left out: {what}" for what in report.omitted),
    ]
    return "; ".join(part for part in parts if part)


def sentence(totals: Totals) -> str:
    """Return the last line."""
    counts = [f"{totals.copied} copied", f"{totals.up_to_date} up to date"]
    if totals.planned:
        counts = [f"{totals.planned} to copy", f"{totals.up_to_date} up to date"]
    if totals.skipped:
        counts.append(f"{totals.skipped} skipped")
    counts.append(f"{totals.failed} failed")
    noun = "artifact" if totals.seen == 1 else "artifacts"
    requests = totals.source_requests + totals.destination_requests
    return (
        f"{totals.seen} {noun}: {', '.join(counts)}; "
        f"{size(totals.bytes_copied)} moved, {size(totals.bytes_saved)} not moved again; "
        f"{requests} requests in {totals.seconds:.1f} s"
    )
