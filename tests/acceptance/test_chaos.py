"""The short form of `make chaos`: much breaks under load, and nothing is lost or doubled."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from tests.chaos import __main__ as chaos
from tests.chaos import faults, load, trial
from tests.chaos.receiver import Receiver

CHANCE = random.Random(3)  # noqa: S311 - faults, not secrets
SEED = 3
# A frozen worker outlasts its lease; meanwhile everything else breaks.
MEANWHILE = (
    faults.kill_workers,
    faults.flush_redis,
    faults.redis_away,
    faults.drop_connections,
    faults.restart_postgres,
    faults.kill_api,
)


async def test_nothing_is_lost_or_doubled_while_everything_breaks() -> None:
    with tempfile.TemporaryDirectory(prefix="tschaos-") as name:
        folder = Path(name)
        async with (
            load.source(folder / "source", seed=SEED) as peer,
            Receiver() as receiver,
            chaos.staged(folder / "house", peer, receiver, CHANCE, is_short=True) as stage,
        ):
            verdict = await trial.run(
                "short", [faults.beside(faults.freeze_worker, MEANWHILE)], stage
            )
    assert verdict.failures == []
    assert verdict.tasks >= load.ARTIFACTS
    assert verdict.rescues > 0
