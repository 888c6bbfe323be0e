"""The short form of `make crashes`: kill -9 of the API at any moment of concurrent pushes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.chaos import crashes

SEED = 8


@pytest.mark.parametrize(
    ("pushes", "kills", "on_s3"), [(300, 3, False), (100, 2, True)], ids=["folder", "s3"]
)
async def test_what_was_acknowledged_survives_every_kill_and_nothing_dangles(
    *, pushes: int, kills: int, on_s3: bool
) -> None:
    with tempfile.TemporaryDirectory(prefix="tscrash-") as name:
        outcome = await crashes.trial(
            Path(name) / "house", pushes=pushes, kills=kills, seed=SEED, on_s3=on_s3
        )
    assert outcome.kills > 0
    assert outcome.interrupted > 0
    assert (outcome.failed_calls > 0) is on_s3
    assert outcome.images == pushes
    assert outcome.wrong == []
    assert outcome.findings == []
