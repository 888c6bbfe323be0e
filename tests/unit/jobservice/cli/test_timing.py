from __future__ import annotations

from typing import Any

import pytest

from jobservice.cli import timing
from jobservice.cli.errors import UsageError
from jobservice.domain import cron

PLAIN: dict[str, Any] = {"time_zone": "", "jitter": 0, "skip_late": False}


@pytest.mark.parametrize(
    ("period", "expression"),
    [
        ("5m", "0 */5 * * * *"),
        ("30m", "0 */30 * * * *"),
        ("1h", "0 0 * * * *"),
        ("6h", "0 0 */6 * * *"),
        ("24h", "0 0 0 * * *"),
        ("1d", "0 0 0 * * *"),
        ("1w", "0 0 0 * * 0"),
    ],
)
def test_a_period_is_an_expression(period: str, expression: str) -> None:
    assert timing.cron_of(period) == expression


def test_every_period_that_help_knows_is_an_expression_for_replication() -> None:
    for period in timing.KNOWN.replace(" or ", ", ").split(", "):
        assert not cron.parse(timing.cron_of(period)).is_every_minute


@pytest.mark.parametrize("period", ["1m", "7m", "45m", "90m", "5h", "0h", "2d", "6", "h", "6 h"])
def test_a_period_that_the_clock_cannot_keep_is_refused(period: str) -> None:
    with pytest.raises(UsageError, match=r"choose 5m, .* or say it with --cron"):
        timing.cron_of(period)


def test_without_a_time_a_policy_is_started_by_hand() -> None:
    assert timing.trigger("", "", **PLAIN) == {"trigger": {"type": "manual"}}


def test_what_is_said_beside_the_time_goes_along() -> None:
    said = timing.trigger("6h", "", time_zone="Europe/Berlin", jitter=60, skip_late=True)
    assert said["trigger"]["trigger_settings"] == {"cron": "0 0 */6 * * *"}
    assert said["transship"]["schedule"] == {
        "time_zone": "Europe/Berlin",
        "jitter_seconds": 60,
        "misfire": "skip",
    }
    said = timing.trigger("", "0 30 2 * * *", **PLAIN)
    assert said["trigger"]["trigger_settings"] == {"cron": "0 30 2 * * *"}
    assert said["transship"]["schedule"] == {"jitter_seconds": 0}


@pytest.mark.parametrize(
    ("every", "expression", "beside"),
    [
        ("6h", "0 0 0 * * *", {}),
        ("", "", {"time_zone": "UTC"}),
        ("", "", {"jitter": 5}),
        ("", "", {"skip_late": True}),
    ],
)
def test_what_makes_no_sense_together_is_refused(
    every: str, expression: str, beside: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        timing.trigger(every, expression, **{**PLAIN, **beside})


def test_a_policy_follows_pushes_and_deletions_too_if_that_is_said() -> None:
    assert timing.on_push(on_push=True, deletions=True) == {
        "trigger": {"type": "event_based"},
        "deletion": True,
    }
    assert timing.on_push(on_push=False, deletions=False) == {}
    with pytest.raises(UsageError, match="--deletions wants --on-push"):
        timing.on_push(on_push=False, deletions=True)
