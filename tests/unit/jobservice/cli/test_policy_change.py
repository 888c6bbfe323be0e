from __future__ import annotations

from typing import Any

import pytest

from jobservice.cli import policy_change
from jobservice.cli.errors import UsageError
from jobservice.cli.policy_change import Change, Timing

MANUAL: dict[str, Any] = {
    "id": 7,
    "name": "daily",
    "dest_namespace": "mirror",
    "dest_namespace_replace_count": 1,
    "src_registry": {"id": 3, "name": "hub"},
    "dest_registry": {"id": 0, "name": "Local"},
    "trigger": {"type": "manual"},
    "filters": [
        {"type": "name", "value": "library/**"},
        {"type": "tag", "value": "3.*"},
        {"type": "tag", "value": "*-rc*", "decoration": "excludes"},
    ],
    "override": True,
    "enabled": True,
    "deletion": False,
    "replicate_deletion": False,
    "transship": {"referrers": False, "priority": 0},
}
SCHEDULED = MANUAL | {
    "trigger": {"type": "scheduled", "trigger_settings": {"cron": "0 30 2 * * *"}},
    "transship": {
        "referrers": False,
        "priority": 0,
        "schedule": {"time_zone": "Europe/Berlin", "jitter_seconds": 60, "misfire": "skip"},
    },
}


def difference(policy: dict[str, Any], **said: Any) -> dict[str, Any]:
    changed = Change(**{"ends": {}, **said}).applied_to(policy)
    return {name: value for name, value in changed.items() if value != policy.get(name)}


@pytest.mark.parametrize(
    ("said", "changed"),
    [
        ({"namespace": ""}, {"dest_namespace": ""}),
        ({"flatten": 0}, {"dest_namespace_replace_count": 0}),
        ({"override": False}, {"override": False}),
        ({"enabled": False}, {"enabled": False}),
        ({"priority": 3}, {"transship": {"referrers": False, "priority": 3}}),
        ({"ends": {"src_registry": {"id": 4}}}, {"src_registry": {"id": 4}}),
    ],
)
def test_what_is_said_changes_and_the_rest_stays(
    said: dict[str, Any], changed: dict[str, Any]
) -> None:
    assert difference(MANUAL, **said) == changed


def test_a_pattern_takes_the_place_of_the_one_before_and_what_excludes_stays() -> None:
    excluded = MANUAL["filters"][2]
    changed = difference(MANUAL, tags="{3,4}.*")["filters"]
    assert changed == [MANUAL["filters"][0], excluded, {"type": "tag", "value": "{3,4}.*"}]
    assert difference(MANUAL, repositories="", tags="") == {"filters": [excluded]}


@pytest.mark.parametrize(
    ("timing", "schedule"),
    [
        (Timing(every="6h"), {}),
        (Timing(cron="0 0 */6 * * *", time_zone="UTC"), {"time_zone": "UTC"}),
        (
            Timing(every="6h", jitter=5, skip_late=False),
            {"jitter_seconds": 5, "misfire": "run_once"},
        ),
    ],
)
def test_a_policy_is_given_a_schedule(timing: Timing, schedule: dict[str, Any]) -> None:
    assert difference(MANUAL, timing=timing) == {
        "trigger": {"type": "scheduled", "trigger_settings": {"cron": "0 0 */6 * * *"}},
        "transship": {"referrers": False, "priority": 0, "schedule": schedule},
    }


def test_a_schedule_keeps_what_is_not_said() -> None:
    settings = SCHEDULED["transship"]
    assert difference(SCHEDULED, timing=Timing(every="1h")) == {
        "trigger": {"type": "scheduled", "trigger_settings": {"cron": "0 0 * * * *"}}
    }
    assert difference(SCHEDULED, timing=Timing(jitter=0)) == {
        "transship": settings | {"schedule": settings["schedule"] | {"jitter_seconds": 0}}
    }
    assert difference(SCHEDULED, timing=Timing(manual=True)) == {
        "trigger": {"type": "manual"},
        "transship": settings | {"schedule": None},
    }


def test_a_policy_follows_events_and_deletions_end_with_that() -> None:
    assert difference(SCHEDULED, timing=Timing(on_push=True), deletions=True) == {
        "trigger": {"type": "event_based"},
        "deletion": True,
        "replicate_deletion": True,
        "transship": SCHEDULED["transship"] | {"schedule": None},
    }
    following = MANUAL | {
        "trigger": {"type": "event_based"},
        "deletion": True,
        "replicate_deletion": True,
    }
    assert difference(following, deletions=False) == {
        "deletion": False,
        "replicate_deletion": False,
    }
    assert difference(following, timing=Timing(on_push=True)) == {
        "transship": following["transship"] | {"schedule": None}
    }
    stopped = difference(following, timing=Timing(manual=True))
    assert (stopped["trigger"], stopped["deletion"]) == ({"type": "manual"}, False)


@pytest.mark.parametrize(
    ("timing", "told"),
    [
        (Timing(every="6h", cron="0 0 * * * *"), "say the same thing"),
        (Timing(jitter=5), "want --every or --cron"),
        (Timing(every="7h"), "choose"),
        (Timing(manual=True, every="6h"), "--manual and --on-push go with nothing else"),
        (Timing(on_push=True, manual=True), "--manual and --on-push go with nothing else"),
        (Timing(), "say what is to change"),
    ],
)
def test_what_makes_no_sense_is_refused(timing: Timing, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        difference(MANUAL, timing=timing)


def test_a_policy_has_two_ends() -> None:
    policy_change.want_two_ends(MANUAL)
    policy_change.want_two_ends({"dest_registry": {"id": 3}})
    for one in ({"src_registry": {"id": 0}}, {}, {"src_registry": None, "dest_registry": None}):
        with pytest.raises(UsageError, match="the same registry"):
            policy_change.want_two_ends(one)
