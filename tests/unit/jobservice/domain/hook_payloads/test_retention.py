"""What retention tells hooks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from jobservice.domain.hook import EventType
from jobservice.domain.hook_payloads import harbor, retention

MOMENT = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
RULE = {"action": "retain", "template": "always"}
DIGEST = f"sha256:{'a' * 64}"
FACTS = {
    "execution_id": 12,
    "task_id": 34,
    "policy_id": 5,
    "place": "team",
    "repository": "team/app",
    "total": 10,
    "retained": 8,
    "deleted": 2,
    "untagged": 0,
    "deleted_bytes": 2048,
    "refused": 0,
    "named": ["1.0", DIGEST],
    "started_by": "eve",
}


def told(**changes: Any) -> dict[str, Any]:
    return harbor.payload(finished(**changes))


def finished(**changes: Any) -> Any:
    return retention.finished(
        "event-1",
        MOMENT,
        {**FACTS, **changes},
        project_id=3,
        snapshot={"rules": {"rules": [RULE], "own": []}},
        external_url="https://t.example",
    )


def test_a_repository_that_lost_something_is_told_as_harbor_tells_it() -> None:
    payload = told()
    assert (payload["type"], payload["operator"]) == ("TAG_RETENTION", "eve")
    assert payload["event_data"]["retention"] == {
        "total": 10,
        "retained": 8,
        "harbor_hostname": "t.example",
        "project_name": "team",
        "retention_policy_id": 5,
        "retention_rule": [RULE],
        "result": "SUCCESS",
        "deleted_artifact": [
            {"type": "image", "status": "SUCCESS", "name_tag": "app:1.0"},
            {"type": "image", "status": "SUCCESS", "name_tag": f"app@{DIGEST}"},
        ],
    }
    assert payload["event_data"]["transship"]["deleted_bytes"] == 2048


def test_the_event_belongs_to_the_project() -> None:
    event = finished()
    assert (event.subject.type, event.subject.project_id) == (EventType.TAG_RETENTION, 3)
    assert event.name == "harbor.tag_retention.finished"


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({}, "Retention deleted 2 of 10 artifacts in team/app"),
        ({"deleted": 0, "untagged": 3}, "Retention deleted 3 tags in team/app"),
        ({"untagged": 1}, "Retention deleted 2 of 10 artifacts and 1 tags in team/app"),
    ],
)
def test_people_read_how_much_went(changes: dict[str, Any], title: str) -> None:
    assert finished(**changes).title == title


def test_of_much_that_went_people_read_the_first() -> None:
    event = finished(deleted=9, named=[f"1.{number}" for number in range(9)])
    assert event.facts["Deleted"] == "1.0, 1.1, 1.2, 1.3, 1.4 and 4 more"
    assert finished().facts["Deleted"] == f"1.0, {DIGEST}"


def test_a_run_without_its_execution_is_told_without_rules() -> None:
    event = retention.finished("event-1", MOMENT, FACTS, project_id=3, snapshot={}, external_url="")
    assert event.data["retention"]["retention_rule"] == []


def test_who_has_to_approve_reads_what_and_how() -> None:
    facts = {
        "execution_id": 12,
        "policy_id": 5,
        "place": "team",
        "candidates": 10,
        "doomed": 9,
        "doomed_bytes": 4096,
        "reasons": ["deletes 9 of 10 artifacts, more than 50 %"],
        "expires_at": "2026-12-03T03:00:00+00:00",
    }
    event = retention.approval_wanted("event-1", MOMENT, facts, project_id=3)
    assert (event.subject.type, event.subject.project_id) == (EventType.RETENTION_APPROVAL, 3)
    assert event.title == "Retention of team waits for approval"
    assert event.facts["Approve with"] == "transship retention approve 5 12"
    assert event.data["transship"]["reasons"] == facts["reasons"]
    assert not event.is_good
