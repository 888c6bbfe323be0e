"""The short form of `make crashes`: kill -9 of the API at any moment of concurrent pushes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.chaos import crashes

PUSHES, KILLS, SEED = 400, 4, 8


async def test_what_was_acknowledged_survives_every_kill_and_nothing_dangles() -> None:
    with tempfile.TemporaryDirectory(prefix="tscrash-") as name:
        outcome = await crashes.trial(Path(name) / "house", pushes=PUSHES, kills=KILLS, seed=SEED)
    assert outcome.kills > 0
    assert outcome.interrupted > 0
    assert outcome.images == PUSHES
    assert outcome.wrong == []
    assert outcome.findings == []
