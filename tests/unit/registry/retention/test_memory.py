"""What is held of a repository while it is decided."""

from __future__ import annotations

import tracemalloc

import pytest

from registry.retention.decision import Fate
from tests.unit.registry.retention.examples import artifact, decided, harbor

COUNT = 5000
# Artifact and tags as they come take some seven hundred; half a million would be 350 MB.
LIMIT_BYTES = 300


@pytest.mark.parametrize("scope", ["digest", "tag"])
def test_a_tag_takes_little_until_all_is_decided(scope: str) -> None:
    artifacts = (artifact(n, f"main-1.{n}", pushed=COUNT - n) for n in range(COUNT))
    rule = harbor("latestPushedK", 10)
    tracemalloc.start()
    try:
        decision = decided(artifacts, rule, scope=scope)
        gone = sum(1 for one in decision.outcomes() if one.fate is Fate.DELETED)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert gone == decision.deleted == COUNT - 10
    assert peak_bytes / COUNT < LIMIT_BYTES
