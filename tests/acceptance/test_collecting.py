"""The short form of `make chaos`'s collections: everything at once, against a model."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.chaos.collecting import collector, trial
from tests.chaos.collecting.trial import Verdict, Wish

SEED = 5


async def tried(wish: Wish) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="tsgc-") as name:
        return await trial.run(Path(name) / "house", wish)


async def test_a_collection_without_the_protocol_loses_what_was_acknowledged() -> None:
    verdict = await tried(
        Wish(
            seconds=6,
            rounds=20,
            seed=SEED,
            variant=collector.NAIVE,
            kills=False,
            stops_at_first=True,
            patience_seconds=0,
        )
    )
    assert verdict.lost != []
