"""The newest of each group, by what tags say."""

from __future__ import annotations

from tests.unit.registry.retention.examples import artifact, decided, delete, reason, staying

NEWEST = {"count": 1, "by": "created", "group": "([a-z]+)-[0-9]+"}


def test_what_says_nothing_of_its_creation_is_in_no_group() -> None:
    created = {"org.opencontainers.image.created": "2026-01-01T00:00:00Z"}
    artifacts = [artifact(1, "a-1", annotations=created), artifact(2, "a-2")]
    rule = delete("**", unless={"newest": NEWEST})
    decision = decided(artifacts, rule)
    assert staying(decision) == {1, 2}
    assert reason(decision, 1) == "spared by transship rule 1: 1st latest created of 1 in group a"
    assert reason(decision, 2) == "kept: no rule deletes it"
