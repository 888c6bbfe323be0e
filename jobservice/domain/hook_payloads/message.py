"""From an event to the body of a request, in the format that a target wants."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, assert_never

from jobservice.domain.hook import Hook, PayloadFormat, Target, TargetKind
from jobservice.domain.hook_delivery import NewDelivery
from jobservice.domain.hook_payloads import cloud_events, distribution, harbor, slack, teams
from jobservice.domain.hook_payloads.event import Event

JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent."""

    content_type: str
    body: str


def message(event: Event, hook: Hook, target: Target) -> Message:
    """Return what a target of a hook is sent."""
    match target.kind:
        case TargetKind.SLACK:
            return _json(slack.payload(event))
        case TargetKind.TEAMS:
            return _json(teams.payload(event))
        case TargetKind.HTTP:
            return _to_program(event, hook, target.format)
        case _:
            assert_never(target.kind)


def _to_program(event: Event, hook: Hook, shape: PayloadFormat) -> Message:
    match shape:
        case PayloadFormat.DEFAULT:
            return _json(harbor.payload(event))
        case PayloadFormat.CLOUD_EVENTS:
            body = cloud_events.payload(event, hook_id=hook.id, project_id=hook.project_id)
            return _json(body, content_type=cloud_events.CONTENT_TYPE)
        case PayloadFormat.DISTRIBUTION:
            return _json(distribution.payload(event), content_type=distribution.CONTENT_TYPE)
        case _:
            assert_never(shape)


def messages(event: Event, hook: Hook) -> list[NewDelivery]:
    """Return what an event comes to for each target of a hook."""
    told = [(target, message(event, hook, target)) for target in hook.targets]
    return [
        NewDelivery(
            target_id=target.id,
            target=target.shown,
            content_type=one.content_type,
            payload=one.body,
        )
        for target, one in told
    ]


def _json(value: dict[str, Any], *, content_type: str = JSON) -> Message:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Message(content_type=content_type, body=text)
