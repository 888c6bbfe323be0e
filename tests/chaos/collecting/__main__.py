"""Pushes, deletes and collections at once, with kill -9, against a model of what has to be there.

Exits with 1 if anything that is referenced is missing or changed, what is not stays, or a counter
says something else than what it counts.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.collecting import collector, trial
from tests.chaos.collecting.trial import PATIENCE_SECONDS, Wish

MINUTES = 10.0
ROUND_SECONDS = 20.0
SHOWN = 30


def main() -> int:
    """Try, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.collecting", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of work, quiet not counted")
    parser.add_argument("--s3", action="store_true", help="on S3, of which every tenth call fails")
    parser.add_argument("--calm", action="store_true", help="without kill -9")
    parser.add_argument("--variant", choices=[*collector.VARIANTS], default=collector.OURS)
    parser.add_argument(
        "--patience", type=float, default=PATIENCE_SECONDS, help="when all is quiet"
    )
    parser.add_argument("--seed", type=int, default=int(time.time()))
    wanted = parser.parse_args()
    seconds = min(ROUND_SECONDS, wanted.minutes * 60)
    wish = Wish(
        seconds=seconds,
        rounds=max(1, round(wanted.minutes * 60 / seconds)),
        seed=wanted.seed,
        variant=wanted.variant,
        on_s3=wanted.s3,
        kills=not wanted.calm,
        patience_seconds=wanted.patience,
    )
    with tempfile.TemporaryDirectory(prefix="tsgc-") as name:
        verdict = asyncio.run(trial.run(Path(name) / "house", wish, _tell))
    counts = ", ".join(f"{what} {count}" for what, count in sorted(verdict.counts.items()))
    sys.stdout.write(
        f"seed {wanted.seed}, {wanted.variant}: {len(verdict.lost)} lost, "
        f"{len(verdict.left)} left, {len(verdict.wrong)} wrong, {verdict.seconds:.0f} s; {counts}\n"
    )
    notes = (("lost", verdict.lost), ("left", verdict.left), ("wrong", verdict.wrong))
    for word, lines in notes:
        for line in lines[:SHOWN]:
            sys.stdout.write(f"  {word}: {line}\n")
    return int(bool(verdict.lost or verdict.left or verdict.wrong))


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
