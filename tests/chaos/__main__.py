"""`make chaos`: everything breaks under load, one thing at a time and then all mixed.

Exits with 1 when a task was lost or doubled, a zombie wrote, an attempt was spent, or recovery
took longer than promised.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from jobservice.demo.peers import Peer
from jobservice.supervisor.errors import CannotStart
from tests.chaos import faults, full_disk, house, load, report, trial
from tests.chaos.faults import Fault
from tests.chaos.receiver import Receiver
from tests.chaos.trial import Stage, Verdict
from tests.upgrade.releases import ROOT, NotHere

PAGE = ROOT / "docs/chaos.md"
MIXED = "mixed"
FAILURES_SHOWN = 20


def main() -> int:
    """Break, judge, write the page."""
    wanted = _arguments()
    seed = wanted.seed if wanted.seed is not None else int(time.time())
    names = wanted.fault or [*faults.ALL, full_disk.NAME, MIXED]
    verdicts, skipped = asyncio.run(_all(names, seed, wanted.minutes))
    if wanted.page:
        report.write(PAGE, verdicts, seed=seed, skipped=skipped)
    _tell(report.table(verdicts))
    for one in skipped:
        _tell(f"NOT RUN: {one}")
    return int(any(verdict.failures for verdict in verdicts))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3, help="how long all are mixed (3)")
    parser.add_argument("--seed", type=int, help="of what is left to chance (the time)")
    parser.add_argument("--page", action="store_true", help=f"write {PAGE.name}")
    parser.add_argument(
        "--fault", nargs="*", choices=[*faults.ALL, full_disk.NAME, MIXED], help="these alone"
    )
    return parser.parse_args()


async def _all(names: Sequence[str], seed: int, minutes: float) -> tuple[list[Verdict], list[str]]:
    chance = random.Random(seed)  # noqa: S311 - faults, not secrets
    told = _Told(minutes)
    with tempfile.TemporaryDirectory(prefix="tschaos-") as name:
        folder = Path(name)
        async with load.source(folder / "source", seed=seed) as peer, Receiver() as receiver:
            _tell(f"seed {seed}; content at {peer.what}")
            async with staged(folder / "house", peer, receiver, chance) as stage:
                for fault in names:
                    if fault != full_disk.NAME:
                        await told.try_one(fault, stage)
            if full_disk.NAME in names:
                try:
                    async with (
                        full_disk.small(folder / "disk") as disk,
                        staged(
                            folder / "small", peer, receiver, chance, postgres_folder=disk / "pg"
                        ) as stage,
                    ):
                        await told.try_one(full_disk.NAME, stage, full_disk.fault(disk))
                except full_disk.CannotMount as reason:
                    told.skipped.append(f"{full_disk.NAME}: {reason}")
    return told.verdicts, told.skipped


class _Told:
    """Tries faults one by one, and says at once what came of each."""

    def __init__(self, minutes: float) -> None:
        self.verdicts: list[Verdict] = []
        self.skipped: list[str] = []
        self._minutes = minutes

    async def try_one(self, name: str, stage: Stage, fault: Fault | None = None) -> None:
        chosen = fault or faults.ALL.get(name) or faults.mixed(self._minutes * 60)
        _tell(f"{name} …")
        verdict = None
        try:
            await stage.house.heal()
            verdict = await trial.run(name, [chosen], stage)
        except* NotHere as missing:
            self.skipped += [f"{name}: {reason}" for reason in missing.exceptions]
        except* (AssertionError, OSError, TimeoutError, CannotStart) as broken:
            reasons = [f"{type(one).__name__}: {one}" for one in broken.exceptions]
            verdict = Verdict(name=name, violations=reasons)
            await trial.drain(stage.house)
        if verdict is None:
            return
        self.verdicts.append(verdict)
        if not verdict.failures:
            _tell(f"  {verdict.tasks} tasks and {verdict.messages} messages, as promised")
        for failure in verdict.failures[:FAILURES_SHOWN]:
            _tell(f"  FAILED: {failure}")


@asynccontextmanager
async def staged(
    folder: Path,
    peer: Peer,
    receiver: Receiver,
    chance: random.Random,
    *,
    postgres_folder: Path | None = None,
    is_short: bool = False,
) -> AsyncIterator[Stage]:
    """Build a house that knows the source and the receiver."""
    async with (
        house.built(folder, postgres_folder=postgres_folder) as built,
        load.against(built, peer, receiver) as work,
    ):
        yield Stage(house=built, load=work, receiver=receiver, chance=chance, is_short=is_short)


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
