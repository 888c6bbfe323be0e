"""What somebody at a terminal sees while artifacts are copied."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field

import pytest
from rich.console import Console

from jobservice.cli.displays.bars import Bars
from jobservice.cli.errand import Errand
from jobservice.cli.totals import Totals
from protocol import media_types
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from replication.tally import Settled
from replication.transfer import Outcome, Transfer, TransferReport

MIB = 1024 * 1024
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
WIDTH = 160


@dataclass(slots=True)
class Terminal:
    """A wide terminal whose time is ours."""

    now: float = 0.0
    written: io.StringIO = field(default_factory=io.StringIO)
    bars: Bars = field(init=False)

    def __post_init__(self) -> None:
        console = Console(file=self.written, force_terminal=True, width=WIDTH, highlight=False)
        self.bars = Bars(console, clock=lambda: self.now)

    @property
    def lines(self) -> list[str]:
        """All lines that were ever drawn, without colours and movements."""
        text = ESCAPES.sub("", self.written.getvalue()).replace("\r", "\n")
        return [line.strip() for line in text.splitlines() if line.strip()]

    def drawn(self, beginning: str) -> set[str]:
        """Return the first words that were ever drawn and begin so."""
        return {line.split()[0] for line in self.lines if line.startswith(beginning)}

    def last(self, beginning: str) -> str:
        """Return how a line was drawn last."""
        return [line for line in self.lines if line.startswith(beginning)][-1]


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def transfer(tag: str) -> Transfer:
    return Transfer(
        source_repository="library/app",
        destination_repository="mirror/app",
        digest=Digest.of(tag.encode()),
        tags=(tag,),
    )


def layer(number: int, size_bytes: int = MIB) -> Descriptor:
    return Descriptor(
        media_type=media_types.OCI_LAYER,
        digest=Digest.of(f"layer {number}".encode()),
        size_bytes=size_bytes,
    )


def test_bytes_rate_and_time_left_are_shown_for_all_and_for_each(terminal: Terminal) -> None:
    app, large = transfer("1.0"), layer(1, 6 * MIB)
    with terminal.bars as bars:
        bars.expected(2)
        bars.transfer_started(app)
        bars.blob_found(app, large)
        for _ in range(3):
            bars.blob_moved(app, large, MIB)
            terminal.now += 0.5
        terminal.now -= 0.5
    for beginning in ("0/2 done", "library/app:1.0"):
        line = terminal.last(beginning)
        assert "3.0/6.0 MiB" in line
        assert "2.0 MiB/s" in line
        assert "0:00:02" in line


def test_mounted_and_skipped_blobs_are_counted_and_fill_the_bar(terminal: Terminal) -> None:
    app, blobs = transfer("1.0"), [layer(number) for number in range(4)]
    with terminal.bars as bars:
        bars.expected(1)
        bars.transfer_started(app)
        for blob in blobs:
            bars.blob_found(app, blob)
        bars.blob_moved(app, blobs[0], MIB)
        bars.blob_settled(app, blobs[0], Settled.COPIED)
        bars.blob_settled(app, blobs[1], Settled.MOUNTED)
        bars.blob_settled(app, blobs[2], Settled.SKIPPED)
    assert terminal.last("0/1 done").startswith("0/1 done; blobs: 1 copied, 1 mounted, 1 there")
    assert "3.0/4.0 MiB" in terminal.last("library/app:1.0")


def test_an_upload_that_had_to_go_back_goes_back_in_the_bar(terminal: Terminal) -> None:
    app, blob = transfer("1.0"), layer(1, 4 * MIB)
    with terminal.bars as bars:
        bars.transfer_started(app)
        bars.blob_found(app, blob)
        bars.blob_moved(app, blob, 3 * MIB)
        bars.blob_moved(app, blob, -2 * MIB)
    assert "1.0/4.0 MiB" in terminal.last("library/app:1.0")
    with terminal.bars as bars:
        bars.blob_moved(app, blob, 3 * MIB)
        bars.blob_settled(app, blob, Settled.COPIED)
    assert "4.0/4.0 MiB" in terminal.last("library/app:1.0")


def test_what_ends_is_told_in_a_line_and_counted(terminal: Terminal) -> None:
    copied, same, bad = transfer("1.0"), transfer("2.0"), transfer("3.0")
    totals = Totals(failed=1, seconds=1.5)
    with terminal.bars as bars:
        bars.expected(3)
        for one, outcome in [(copied, Outcome.COPIED), (same, Outcome.UP_TO_DATE)]:
            report = TransferReport(transfer=one, outcome=outcome, bytes_copied=MIB)
            bars.transfer_started(one)
            bars.transfer_ended(one, report)
            bars.ended(Errand.of(one), report)
            totals.add(report)
        bars.transfer_started(bad)
        bars.transfer_ended(bad, None)
        bars.failed(Errand.of(bad), ValueError("reading layer [1]: it is gone"))
        bars.skipped("library/app:sha256-1.sig", "travels with the artifact")
    bars.summary(totals)
    told = "\n".join(terminal.lines)
    assert f"copied  library/app@{copied.digest} -> mirror/app:1.0  (1.0 MiB moved)" in told
    assert f"failed  library/app@{bad.digest} -> mirror/app:3.0: reading layer [1]" in told
    assert "skipped  library/app:sha256-1.sig: travels with the artifact" in told
    assert str(same.digest) not in told
    assert terminal.last("3/3 done")
    assert terminal.lines[-1].startswith("3 artifacts: 1 copied, 1 up to date, 1 failed;")


def test_a_dry_run_tells_what_it_would_copy(terminal: Terminal) -> None:
    with terminal.bars as bars:
        bars.planned(Errand.of(transfer("1.0")))
    assert terminal.last("would copy  library/app@sha256:").endswith("-> mirror/app:1.0")


def test_no_more_bars_than_a_screen_holds_and_the_next_takes_a_free_place(
    terminal: Terminal,
) -> None:
    transfers = [transfer(f"{number}.0") for number in range(30)]
    with terminal.bars as bars:
        for one in transfers:
            bars.transfer_started(one)
    assert terminal.drawn("library/app:") == {f"library/app:{number}.0" for number in range(8)}
    with terminal.bars as bars:
        for one in (transfers[3], transfers[20]):
            bars.transfer_ended(one, None)
    assert terminal.drawn("library/app:") == {f"library/app:{number}.0" for number in range(9)}
