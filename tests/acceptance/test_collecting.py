"""The short form of what `make chaos` does to collections: everything at once, against a model."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.chaos.collecting import collector, trial
from tests.chaos.collecting.trial import Verdict, Wish

SEED = 5


async def tried(wish: Wish) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="tsgc-") as name:
        return await trial.run(Path(name) / "house", wish)


@pytest.mark.parametrize(("rounds", "on_s3"), [(2, False), (1, True)], ids=["folder", "s3"])
async def test_what_is_referenced_stays_what_is_not_goes_and_counters_are_sums_whatever_is_killed(
    *, rounds: int, on_s3: bool
) -> None:
    verdict = await tried(Wish(seconds=8, rounds=rounds, seed=SEED, on_s3=on_s3))
    told = [*verdict.lost, *verdict.left, *verdict.wrong]
    assert told == [], "\n".join(told)
    for what in ("image", "delete", "retention runs", "retained", "collections run"):
        assert verdict.counts[what] > 0, what
    assert verdict.counts["collector killed"] > 0
    assert verdict.counts["calls to S3 failed"] > 0 or not on_s3


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
