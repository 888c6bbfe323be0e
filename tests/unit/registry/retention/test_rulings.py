"""Which of several rules is the reason."""

from __future__ import annotations

from tests.unit.registry.retention.examples import artifact, decided, delete, reason, tag


def test_the_first_of_the_rules_that_delete_something_is_the_reason() -> None:
    artifacts = [artifact(1, tag("v1", immutable="rule 4")), artifact(2, "v2")]
    said = (delete("v1"), delete("**"), delete("v*", override_immutable=True), delete("v1"))
    decision = decided(artifacts, *said)
    assert reason(decision, 1) == reason(decision, 2) == "goes: transship rule 3 deletes it"
    assert reason(decided(artifacts, delete("v2"), delete("**")), 2) == (
        "goes: transship rule 1 deletes it"
    )
