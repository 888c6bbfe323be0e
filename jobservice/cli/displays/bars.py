"""Progress bars on a terminal: one over everything, one for each artifact on its way."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text
from typing_extensions import override

from jobservice.cli import display
from jobservice.cli.errand import Errand
from jobservice.cli.totals import Totals
from protocol.descriptor import Descriptor
from replication.progress import Silence
from replication.tally import Settled
from replication.transfer import Outcome, Transfer, TransferReport

_VISIBLE_LIMIT = 8


class _Rate(ProgressColumn):
    """The rate in the units of the amounts beside it."""

    @override
    def render(self, task: Task) -> Text:
        """Return bytes a second; nothing while nobody knows."""
        rate = task.finished_speed or task.speed
        return Text("" if rate is None else f"{display.size(rate)}/s", style="progress.data.speed")


class Bars(Silence):
    """Draws bars with bytes, rate and time left; what ends scrolls up above them."""

    def __init__(
        self, console: Console | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console or Console(highlight=False)
        self._progress = Progress(
            TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(ratio=2, no_wrap=True, overflow="ellipsis"),
            ),
            BarColumn(bar_width=20),
            DownloadColumn(binary_units=True),
            _Rate(),
            TimeRemainingColumn(),
            expand=True,
            console=self._console,
            get_time=clock,
            transient=True,
        )
        self._all = self._progress.add_task("", total=0)
        self._tasks: dict[Transfer, TaskID] = {}
        self._expected = 0
        self._ended = 0
        self._blobs = dict.fromkeys(Settled, 0)
        self._moved: dict[tuple[Transfer, Descriptor], int] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def expected(self, artifacts: int) -> None:
        """Raise the number of artifacts to come."""
        self._expected += artifacts
        self._headline()

    @override
    def transfer_started(self, transfer: Transfer) -> None:
        self._tasks[transfer] = self._progress.add_task(
            transfer.source, total=0, visible=len(self._tasks) < _VISIBLE_LIMIT
        )

    @override
    def blob_found(self, transfer: Transfer, blob: Descriptor) -> None:
        for task in (self._all, self._tasks[transfer]):
            total = self._progress.tasks[self._progress.task_ids.index(task)].total or 0
            self._progress.update(task, total=total + blob.size_bytes)

    @override
    def blob_moved(self, transfer: Transfer, blob: Descriptor, count_bytes: int) -> None:
        key = (transfer, blob)
        self._moved[key] = self._moved.get(key, 0) + count_bytes
        self._advance(transfer, count_bytes)

    @override
    def blob_settled(self, transfer: Transfer, blob: Descriptor, how: str) -> None:
        # What was mounted or skipped counts as done: the bar is about what is there.
        self._advance(transfer, blob.size_bytes - self._moved.pop((transfer, blob), 0))
        self._blobs[Settled(how)] += 1
        self._headline()

    @override
    def transfer_ended(self, transfer: Transfer, report: TransferReport | None) -> None:
        del report
        self._progress.remove_task(self._tasks.pop(transfer))
        for next_in_line in islice(self._tasks.values(), _VISIBLE_LIMIT - 1, _VISIBLE_LIMIT):
            self._progress.update(next_in_line, visible=True)

    def planned(self, errand: Errand) -> None:
        """Print what would be copied."""
        self._print(f"would copy  {display.arrow(errand)}")

    def ended(self, errand: Errand, report: TransferReport) -> None:
        """Print what was copied; what was up to date only counts."""
        self._ended += 1
        self._headline()
        if report.outcome is Outcome.COPIED:
            self._print(f"copied  {display.arrow(errand)}  ({display.details(report)})")

    def failed(self, errand: Errand, error: Exception) -> None:
        """Print what failed, in red."""
        self._ended += 1
        self._headline()
        self._print(f"failed  {display.arrow(errand)}: {error}", style="red")

    def skipped(self, what: str, reason: str) -> None:
        """Print what is left out."""
        self._print(f"skipped  {what}: {reason}", style="yellow")

    def summary(self, totals: Totals) -> None:
        """Print the sums."""
        self._print(display.sentence(totals), style="red" if totals.failed else "green")

    def _headline(self) -> None:
        blobs = self._blobs
        self._progress.update(
            self._all,
            description=(
                f"{self._ended}/{self._expected} done; blobs: {blobs[Settled.COPIED]} copied, "
                f"{blobs[Settled.MOUNTED]} mounted, {blobs[Settled.SKIPPED]} there"
            ),
        )

    def _advance(self, transfer: Transfer, count_bytes: int) -> None:
        self._progress.advance(self._all, count_bytes)
        self._progress.advance(self._tasks[transfer], count_bytes)

    def _print(self, line: str, *, style: str | None = None) -> None:
        self._console.print(line, style=style, markup=False, soft_wrap=True)
