"""What is sent about artifacts, held against Harbor's documented fields and distribution's."""

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
    Target,
    TargetKind,
)
from jobservice.domain.hook_payloads import artifacts, message, notices
from jobservice.domain.hook_payloads.artifacts import Surroundings
from registry.events import Action, Event

EVENT_ID = "5b3b8c1e-0000-4000-8000-000000000001"
NOW = datetime(2026, 11, 26, 1, 2, 3, tzinfo=UTC)
DIGEST = "sha256:" + "8a" * 32
PUSH = Event(
    action=Action.PUSH,
    project_id=3,
    repository="team/debian/slim",
    digest=DIGEST,
    tags=("12", "latest"),
    media_type="application/vnd.oci.image.manifest.v1+json",
    artifact_type=None,
    size_bytes=512,
    subject=None,
    by="robot$ci",
    is_new=True,
)
AROUND = Surroundings(
    external_url="https://hub.example:8443",
    is_public=False,
    created_at=datetime(2026, 11, 1, tzinfo=UTC),
)


def sent(
    happened: Event,
    shape: PayloadFormat = PayloadFormat.DEFAULT,
    *,
    kind: TargetKind = TargetKind.HTTP,
    around: Surroundings = AROUND,
) -> Any:
    hook = Hook(
        id=4,
        project_id=3,
        settings=HookSettings(name="ci", event_types=(EventType.PUSH_ARTIFACT,)),
        targets=(Target(id=1, kind=kind, format=shape, address="https://a.example/x"),),
        creator="admin",
        created_at=NOW,
        updated_at=NOW,
    )
    (one,) = message.messages(artifacts.event(EVENT_ID, NOW, happened, around), hook)
    return json.loads(one.payload)


def test_harbors_default_payload_of_a_push() -> None:
    body = sent(PUSH)
    assert {name: body[name] for name in ("type", "occur_at", "operator")} == {
        "type": "PUSH_ARTIFACT",
        "occur_at": 1795654923,
        "operator": "robot$ci",
    }
    assert body["event_data"]["resources"] == [
        {
            "digest": DIGEST,
            "tag": "12",
            "resource_url": "hub.example:8443/team/debian/slim:12",
        }
    ]
    assert body["event_data"]["repository"] == {
        "date_created": 1793491200,
        "name": "debian/slim",
        "namespace": "team",
        "repo_full_name": "team/debian/slim",
        "repo_type": "private",
    }


def test_an_untagged_artifact_is_named_by_its_digest_as_harbor_does() -> None:
    (resource,) = sent(replace(PUSH, tags=()))["event_data"]["resources"]
    assert resource["tag"] == DIGEST
    assert resource["resource_url"] == f"hub.example:8443/team/debian/slim@{DIGEST}"


def test_what_harbor_has_no_field_for_stands_beside() -> None:
    pushed = replace(PUSH, subject=f"sha256:{'1' * 64}", artifact_type="a/sbom", is_new=False)
    assert sent(pushed)["event_data"]["transship"] == {
        "event_id": EVENT_ID,
        "tags": ["12", "latest"],
        "media_type": PUSH.media_type,
        "size_bytes": 512,
        "artifact_type": "a/sbom",
        "subject": f"sha256:{'1' * 64}",
        "is_new": False,
    }
    pulled = replace(PUSH, action=Action.PULL)
    assert "is_new" not in sent(pulled)["event_data"]["transship"]


def test_a_repository_that_is_gone_has_no_date_and_a_public_one_says_so() -> None:
    around = replace(AROUND, is_public=True, created_at=None)
    repository = sent(replace(PUSH, action=Action.DELETE), around=around)["event_data"][
        "repository"
    ]
    assert "date_created" not in repository
    assert repository["repo_type"] == "public"


@pytest.mark.parametrize(
    ("action", "event_type", "name"),
    [
        (Action.PUSH, "PUSH_ARTIFACT", "harbor.artifact.pushed"),
        (Action.PULL, "PULL_ARTIFACT", "harbor.artifact.pulled"),
        (Action.DELETE, "DELETE_ARTIFACT", "harbor.artifact.deleted"),
        (Action.UNTAG, "DELETE_TAG", "transship.tag.deleted"),
    ],
)
def test_each_action_has_its_type_in_both_of_harbors_formats(
    action: Action, event_type: str, name: str
) -> None:
    happened = replace(PUSH, action=action)
    assert sent(happened)["type"] == event_type
    cloud = sent(happened, PayloadFormat.CLOUD_EVENTS)
    assert (cloud["type"], cloud["source"]) == (name, "/projects/3/webhook/policies/4")
    assert cloud["data"] == sent(happened)["event_data"]


def test_distributions_envelope_has_a_notification_for_each_tag() -> None:
    first, second = sent(PUSH, PayloadFormat.DISTRIBUTION)["events"]
    assert first["id"] != second["id"]
    assert first["action"] == "push"
    assert first["timestamp"] == "2026-11-26T01:02:03+00:00"
    assert first["target"] == {
        "mediaType": PUSH.media_type,
        "size": 512,
        "length": 512,
        "digest": DIGEST,
        "url": f"https://hub.example:8443/v2/team/debian/slim/manifests/{DIGEST}",
        "repository": "team/debian/slim",
        "tag": "12",
    }
    assert second["target"]["tag"] == "latest"
    assert first["request"] == {"id": EVENT_ID, "host": "hub.example:8443", "method": "PUT"}
    assert first["actor"] == {"name": "robot$ci"}


def test_the_same_event_has_the_same_notifications_however_often_it_is_told() -> None:
    one, again = (sent(PUSH, PayloadFormat.DISTRIBUTION) for _ in range(2))
    assert one == again
    (untagged,) = sent(replace(PUSH, tags=()), PayloadFormat.DISTRIBUTION)["events"]
    assert untagged["id"] == EVENT_ID


@pytest.mark.parametrize(
    ("action", "targets"),
    [
        (Action.DELETE, [{"repository": "team/debian/slim", "digest": DIGEST}]),
        (
            Action.UNTAG,
            [
                {"repository": "team/debian/slim", "tag": "12"},
                {"repository": "team/debian/slim", "tag": "latest"},
            ],
        ),
    ],
)
def test_a_deletion_in_distributions_envelope_names_what_is_gone_and_nothing_else(
    action: Action, targets: list[dict[str, str]]
) -> None:
    told = sent(replace(PUSH, action=action), PayloadFormat.DISTRIBUTION)["events"]
    assert [one["target"] for one in told] == targets
    assert {one["action"] for one in told} == {"delete"}


def test_a_test_in_distributions_envelope_holds_no_notification() -> None:
    told = notices.trial(EVENT_ID, NOW, hook_name="ci", operator="admin")
    hook = Hook(
        id=4,
        project_id=None,
        settings=HookSettings(name="ci"),
        targets=(
            Target(
                id=1,
                kind=TargetKind.HTTP,
                format=PayloadFormat.DISTRIBUTION,
                address="https://a.example/x",
            ),
        ),
        creator="admin",
        created_at=NOW,
        updated_at=NOW,
    )
    (one,) = message.messages(told, hook)
    assert json.loads(one.payload) == {"events": []}
    assert one.content_type == "application/vnd.docker.distribution.events.v2+json"


@pytest.mark.parametrize("kind", [TargetKind.SLACK, TargetKind.TEAMS])
def test_chats_are_told_who_did_what_to_what(kind: TargetKind) -> None:
    text = json.dumps(sent(replace(PUSH, by="", tags=("12",)), kind=kind))
    assert "team/debian/slim:12 was pushed" in text
    assert "anonymous" in text
