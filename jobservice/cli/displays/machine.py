"""One JSON object per line, for programs: an `artifact` each, a `summary` at the end."""

from __future__ import annotations

import json
import sys
from typing import Any, Self, TextIO

from jobservice.cli import exit_codes
from jobservice.cli.errand import Errand
from jobservice.cli.totals import Totals
from replication.progress import Silence
from replication.transfer import TransferReport


class Machine(Silence):
    """Writes to `out` alone; nothing else is printed beside it."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.flush()

    def expected(self, artifacts: int) -> None:
        """Say nothing: programs count for themselves."""

    def ended(self, errand: Errand, report: TransferReport) -> None:
        """Write what is at the destination now."""
        digest = str(report.transfer.digest)
        self._write("artifact", {**errand.to_json(), "digest": digest, **report.to_json()})

    def planned(self, errand: Errand) -> None:
        """Write what would be copied."""
        self._write("artifact", {**errand.to_json(), "outcome": "planned"})

    def failed(self, errand: Errand, error: Exception) -> None:
        """Write what failed."""
        said = {"message": str(error), "code": exit_codes.of(error).name.lower()}
        self._write("artifact", {**errand.to_json(), "outcome": "failed", "error": said})

    def skipped(self, what: str, reason: str) -> None:
        """Write what is left out."""
        self._write("skipped", {"what": what, "reason": reason})

    def summary(self, totals: Totals) -> None:
        """Write the sums."""
        self._write("summary", totals.to_json())

    def _write(self, kind: str, fields: dict[str, Any]) -> None:
        self._out.write(json.dumps({"type": kind, **fields}) + "\n")
