"""One plain line per artifact, for pipes and logs."""

from __future__ import annotations

import sys
from typing import Self, TextIO

from jobservice.cli import display
from jobservice.cli.errand import Errand
from jobservice.cli.totals import Totals
from replication.progress import Silence
from replication.transfer import Outcome, TransferReport


class Lines(Silence):
    """Writes results to `out` and failures to `err`."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._err = err or sys.stderr

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.flush()

    def expected(self, artifacts: int) -> None:
        """Say nothing: lines come as artifacts end."""

    def ended(self, errand: Errand, report: TransferReport) -> None:
        """Write what is at the destination now."""
        verb = "copied    " if report.outcome is Outcome.COPIED else "up to date"
        details = display.details(report)
        self._print(f"{verb}  {display.arrow(errand)}" + (f"  ({details})" if details else ""))

    def planned(self, errand: Errand) -> None:
        """Write what would be copied."""
        self._print(f"would copy  {display.arrow(errand)}")

    def failed(self, errand: Errand, error: Exception) -> None:
        """Write what failed."""
        self._print(f"failed      {display.arrow(errand)}: {error}", self._err)

    def skipped(self, what: str, reason: str) -> None:
        """Write what is left out."""
        self._print(f"skipped     {what}: {reason}")

    def summary(self, totals: Totals) -> None:
        """Write the sums."""
        self._print(display.sentence(totals))

    def _print(self, line: str, stream: TextIO | None = None) -> None:
        (stream or self._out).write(f"{line}\n")
