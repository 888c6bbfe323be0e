"""How long collection waits."""

from __future__ import annotations

from datetime import timedelta

from registry.collection.delays import Delays


def test_the_window_is_as_long_as_a_backup_may_be_old() -> None:
    delays = Delays.of(backup_window_days=3, gc_grace_seconds=None)
    assert (delays.review, delays.window) == (timedelta(minutes=10), timedelta(days=3))
    assert not delays.is_short


def test_a_grace_sets_review_and_window() -> None:
    delays = Delays.of(backup_window_days=3, gc_grace_seconds=59 * 60)
    assert delays.review == delays.window == timedelta(minutes=59)
    assert delays.is_short
