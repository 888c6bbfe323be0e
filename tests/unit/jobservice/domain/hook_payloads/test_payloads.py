"""What is sent, held against Harbor's documented fields and the chat programs' own formats."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from jobservice.domain.hook import (
    EventType,
    Hook,
    HookSettings,
    PayloadFormat,
    Subject,
    Target,
    TargetKind,
)
from jobservice.domain.hook_payloads import message, notices, runs
from jobservice.domain.hook_payloads.event import Event
from jobservice.domain.hook_payloads.runs import Background, EndedTask

EVENT_ID = "5b3b8c1e-0000-4000-8000-000000000001"
ENDED_AT = datetime(2026, 11, 25, 12, 0, 5, tzinfo=UTC)
EXECUTION = {
    "execution_id": 12,
    "vendor_type": "replication",
    "policy_id": 7,
    "trigger": "manual",
    "started_by": "admin",
    "status": "failed",
    "status_text": "",
    "total": 2,
    "succeeded": 1,
    "failed": 1,
    "stopped": 0,
    "unchanged": 0,
    "created_at": "2026-11-25T12:00:00+00:00",
    "ended_at": "2026-11-25T12:00:05+00:00",
}
TASK = {
    **{name: EXECUTION[name] for name in ("execution_id", "vendor_type", "policy_id", "trigger")},
    **{name: EXECUTION[name] for name in ("started_by", "created_at", "ended_at")},
    "task_id": 99,
    "job_type": "replication_transfer",
    "status": "failed",
    "attempt": 3,
    "error": "no answer from <b>hub</b> & co",
}
BACKGROUND = Background(
    external_url="https://transship.example",
    policy_name="base *images*",
    description="nightly",
    snapshot={
        "policy": {"destination_namespace": "mirror", "override": True},
        "source": {"name": "hub", "kind": "docker-registry", "url": "https://hub.example"},
        "destination": {"name": "Local", "kind": "local", "url": ""},
    },
    tasks=(
        EndedTask(
            status="succeeded",
            parameters={"source_repository": "library/alpine", "tags": ["3.20", "3.21"]},
        ),
        EndedTask(
            status="failed",
            parameters={"source_repository": "library/nginx", "tags": []},
            error="no answer",
        ),
    ),
)
HARBORS = {
    "harbor_hostname", "job_status", "description", "artifact_type", "authentication_type",
    "override_mode", "trigger_type", "policy_creator", "execution_timestamp", "src_resource",
    "dest_resource", "successful_artifact", "failed_artifact", "execution_id", "task_id",
}  # fmt: skip


def event(facts: dict[str, Any] = EXECUTION, background: Background = BACKGROUND) -> Event:
    about = runs.subject(facts, project_id=None, is_task="task_id" in facts)
    return runs.event(EVENT_ID, about, ENDED_AT, facts, background)


def hook(kind: TargetKind, form: PayloadFormat = PayloadFormat.DEFAULT) -> Hook:
    return Hook(
        id=4,
        project_id=None,
        settings=HookSettings(name="ops", event_types=(EventType.REPLICATION,)),
        targets=(Target(id=1, kind=kind, format=form, address="https://a.example/x?y=z"),),
        creator="admin",
        created_at=ENDED_AT,
        updated_at=ENDED_AT,
    )


def sent(told: Event, kind: TargetKind, form: PayloadFormat = PayloadFormat.DEFAULT) -> Any:
    (one,) = message.messages(told, hook(kind, form))
    return json.loads(one.payload)


def test_harbors_default_payload_of_a_replication() -> None:
    body = sent(event(), TargetKind.HTTP)
    assert list(body) == ["type", "occur_at", "operator", "event_data"]
    assert body["type"] == "REPLICATION"
    assert body["occur_at"] == int(ENDED_AT.timestamp())
    assert body["operator"] == "admin"
    block = body["event_data"]["replication"]
    assert set(block) <= HARBORS
    assert block == {
        "harbor_hostname": "transship.example",
        "job_status": "Error",
        "description": "nightly",
        "artifact_type": "image",
        "override_mode": True,
        "trigger_type": "MANUAL",
        "policy_creator": "admin",
        "execution_timestamp": 1795608000,
        "src_resource": {
            "registry_name": "hub",
            "registry_type": "docker-registry",
            "endpoint": "https://hub.example",
            "namespace": "library",
        },
        "dest_resource": {
            "registry_name": "Local",
            "registry_type": "local",
            "endpoint": "https://transship.example",
            "namespace": "mirror",
        },
        "successful_artifact": [
            {
                "type": "image",
                "status": "Success",
                "name_tag": "alpine [2 item(s) in total]",
                "references": ["3.20", "3.21"],
            }
        ],
        "failed_artifact": [
            {
                "type": "image",
                "status": "Error",
                "name_tag": "nginx [1 item(s) in total]",
                "references": [],
                "fail_reason": "no answer",
            }
        ],
        "execution_id": 12,
    }


def test_what_harbor_has_no_field_for_stands_in_an_object_of_ours() -> None:
    ours = sent(event(), TargetKind.HTTP)["event_data"]["transship"]
    assert ours == {
        "event_id": EVENT_ID,
        "vendor_type": "REPLICATION",
        "policy_name": "base *images*",
        "created_at": EXECUTION["created_at"],
        "ended_at": EXECUTION["ended_at"],
        "execution_id": 12,
        "policy_id": 7,
        "status": "failed",
        "status_text": "",
        "total": 2,
        "succeeded": 1,
        "failed": 1,
        "stopped": 0,
        "unchanged": 0,
    }


def test_a_task_is_named_in_harbors_block_and_tells_its_error() -> None:
    data = sent(event(TASK), TargetKind.HTTP)["event_data"]
    assert data["replication"]["task_id"] == 99
    assert data["transship"]["task_id"] == 99
    assert data["transship"]["attempt"] == 3
    assert data["transship"]["error"] == TASK["error"]
    assert "total" not in data["transship"]


@pytest.mark.parametrize(
    ("repositories", "namespace"),
    [(("a/x", "b/y"), ""), (("alone",), ""), ((), ""), (("a/b/c", "a/d"), "a")],
)
def test_the_namespace_is_what_all_repositories_share(
    repositories: tuple[str, ...], namespace: str
) -> None:
    tasks = [
        EndedTask(status="succeeded", parameters={"source_repository": name, "tags": ["1"]})
        for name in repositories
    ]
    body = sent(event(background=replace(BACKGROUND, tasks=tasks)), TargetKind.HTTP)
    block = body["event_data"]["replication"]
    assert block["src_resource"]["namespace"] == namespace
    names = [one["name_tag"].partition(" ")[0] for one in block["successful_artifact"]]
    assert [f"{namespace}/{name}".strip("/") for name in names] == list(repositories)


def test_another_kind_of_execution_has_no_block_of_harbors() -> None:
    facts = {**EXECUTION, "vendor_type": "garbage_collection", "status": "succeeded", "failed": 0}
    told = event(facts, Background())
    body = sent(told, TargetKind.HTTP)
    assert body["type"] == "EXECUTION"
    assert list(body["event_data"]) == ["transship"]
    assert told.title == "Garbage collection succeeded: execution 12"


def test_cloud_events_have_harbors_attributes() -> None:
    body = sent(event(), TargetKind.HTTP, PayloadFormat.CLOUD_EVENTS)
    data = body.pop("data")
    assert set(data) == {"replication", "transship"}
    assert body == {
        "specversion": "1.0",
        "id": EVENT_ID,
        "source": "/projects/0/webhook/policies/4",
        "type": "harbor.replication.status.changed",
        "time": "2026-11-25T12:00:05+00:00",
        "datacontenttype": "application/json",
        "operator": "admin",
        "requestid": EVENT_ID,
    }
    (one,) = message.messages(event(TASK), hook(TargetKind.HTTP, PayloadFormat.CLOUD_EVENTS))
    assert one.content_type == "application/cloudevents+json"


def test_an_event_of_ours_has_a_name_of_ours() -> None:
    other = {"vendor_type": "garbage_collection"}
    assert event({**TASK, **other}).name == "transship.task.ended"
    assert event({**EXECUTION, **other}).name == "transship.execution.ended"


def test_slack_gets_blocks_in_which_no_text_mentions_anybody() -> None:
    hostile = {**TASK, "error": "<!channel> & <https://evil.example|click>"}
    body = sent(event(hostile), TargetKind.SLACK)
    assert [block["type"] for block in body["blocks"]] == ["header", "section", "context"]
    assert body["blocks"][0]["text"]["type"] == "plain_text"
    texts = " ".join(field["text"] for field in body["blocks"][1]["fields"])
    assert "&lt;!channel&gt; &amp; &lt;https://evil.example|click&gt;" in texts
    assert "<" not in texts
    assert "REPLICATION" in body["blocks"][2]["elements"][0]["text"]


def test_slacks_limits_are_kept() -> None:
    long = {**TASK, "error": "x" * 5000}
    body = sent(event(long, replace(BACKGROUND, policy_name="y" * 300)), TargetKind.SLACK)
    assert len(body["blocks"][0]["text"]["text"]) == 150
    assert max(len(field["text"]) for field in body["blocks"][1]["fields"]) == 2000


def test_teams_gets_an_adaptive_card_without_markup_from_outside() -> None:
    body = sent(event(TASK), TargetKind.TEAMS)
    assert body["type"] == "message"
    (attachment,) = body["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    title, facts = card["body"]
    assert title["text"] == (r"Replication 'base \*images\*' failed: task 99 of execution 12")
    assert title["color"] == "Attention"
    told = {fact["title"]: fact["value"] for fact in facts["facts"]}
    assert told["Error"] == r"no answer from \<b\>hub\</b\> & co"
    assert (told["From"], told["To"]) == ("https://hub.example", "Local")


def test_a_message_without_facts_has_no_empty_parts() -> None:
    bare = replace(event(), facts={}, is_good=True)
    assert len(sent(bare, TargetKind.SLACK)["blocks"]) == 2
    card = sent(bare, TargetKind.TEAMS)["attachments"][0]["content"]
    assert [part["type"] for part in card["body"]] == ["TextBlock"]


def test_people_are_told_what_happened_first_of_all() -> None:
    told = event({**EXECUTION, "status_text": "two things"}).facts
    assert told["Tasks"] == "2 total, 1 succeeded, 1 failed"
    assert told["First failure"] == "library/nginx: no answer"
    assert told["Said"] == "two things"
    by_schedule = event({**EXECUTION, "started_by": "", "trigger": "event_based"}).facts
    assert by_schedule["Started by"] == "event based"


def test_a_schedule_that_did_not_fire_is_told() -> None:
    facts = {
        "schedule_id": 3,
        "vendor_type": "replication",
        "vendor_id": 7,
        "cron": "0 0 * * * *",
        "due_at": "2026-11-25T12:00:00+00:00",
        "none": None,
    }
    told = notices.overdue(EVENT_ID, ENDED_AT, facts, project_id=None)
    body = sent(told, TargetKind.HTTP)
    assert body["type"] == "SCHEDULE_OVERDUE"
    assert body["event_data"]["transship"]["due_at"] == facts["due_at"]
    assert "none" not in body["event_data"]["transship"]
    assert not told.is_good


def test_a_trial_says_whose_it_is() -> None:
    told = notices.trial(EVENT_ID, ENDED_AT, hook_name="ops", operator="admin")
    assert told.subject == Subject(type=EventType.TEST)
    assert sent(told, TargetKind.HTTP)["event_data"]["transship"]["hook"] == "ops"


def test_what_is_shown_of_an_address_is_not_secret() -> None:
    for kind, shown in (
        (TargetKind.HTTP, "https://a.example/x?…"),
        (TargetKind.SLACK, "https://a.example/…?…"),
    ):
        (one,) = message.messages(event(), hook(kind))
        assert one.target == shown
