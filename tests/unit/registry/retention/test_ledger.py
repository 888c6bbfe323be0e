"""The columns of what is decided about."""

from __future__ import annotations

from tests.unit.registry.retention.examples import artifact, decided, harbor


def test_indexes_go_before_their_children_in_whatever_order_all_came() -> None:
    artifacts = [artifact(1, "amd64", parents=[2]), artifact(2, "multi"), artifact(3, "x")]
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        decision = decided([artifacts[one] for one in order], harbor("latestPushedK", 0))
        assert [one.id for one in decision.going()] == [3, 2, 1]
