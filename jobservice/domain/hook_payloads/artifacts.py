"""What happens to artifacts of this registry, as events; Harbor's `resources` and `repository`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from jobservice.domain.hook import EventType, Subject
from jobservice.domain.hook_payloads import distribution
from jobservice.domain.hook_payloads.event import Event
from registry import events
from registry.events import Action

TYPES: Final = {
    Action.PUSH: EventType.PUSH_ARTIFACT,
    Action.PULL: EventType.PULL_ARTIFACT,
    Action.DELETE: EventType.DELETE_ARTIFACT,
    Action.UNTAG: EventType.DELETE_TAG,
}
_NAMES: Final = {
    Action.PUSH: "harbor.artifact.pushed",
    Action.PULL: "harbor.artifact.pulled",
    Action.DELETE: "harbor.artifact.deleted",
    Action.UNTAG: "transship.tag.deleted",
}
_SAID: Final = {
    Action.PUSH: "was pushed",
    Action.PULL: "was pulled",
    Action.DELETE: "was deleted",
    Action.UNTAG: "was untagged",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an event does not hold itself; `created_at` is None once the repository is gone."""

    external_url: str
    is_public: bool
    created_at: datetime | None


def subject(happened: events.Event) -> Subject:
    """Return what decides who hears of it."""
    return Subject(type=TYPES[happened.action], project_id=happened.project_id)


def event(
    event_id: str, occurred_at: datetime, happened: events.Event, around: Surroundings
) -> Event:
    """Return the event of what was done to an artifact."""
    shown = _reference(happened)
    return Event(
        id=event_id,
        subject=subject(happened),
        name=_NAMES[happened.action],
        occurred_at=occurred_at,
        operator=happened.by,
        data={
            "resources": [_resource(happened, around)],
            "repository": _repository(happened, around),
            "transship": _ours(event_id, happened),
        },
        title=f"{happened.repository}{shown} {_SAID[happened.action]}",
        facts=dict(_told(happened)),
        notifications=tuple(
            distribution.notifications(
                event_id, occurred_at, happened, external_url=around.external_url
            )
        ),
    )


def _reference(happened: events.Event) -> str:
    return f":{happened.tags[0]}" if happened.tags else f"@{happened.digest}"


def _resource(happened: events.Event, around: Surroundings) -> dict[str, Any]:
    """Return Harbor's resource: its `tag` is the digest where there is no tag."""
    host = urlsplit(around.external_url).netloc
    return {
        "digest": happened.digest,
        "tag": happened.tags[0] if happened.tags else happened.digest,
        "resource_url": f"{host}/{happened.repository}{_reference(happened)}",
    }


def _repository(happened: events.Event, around: Surroundings) -> dict[str, Any]:
    namespace, _, name = happened.repository.partition("/")
    created = {} if around.created_at is None else {"date_created": _seconds(around.created_at)}
    return {
        **created,
        "name": name,
        "namespace": namespace,
        "repo_full_name": happened.repository,
        "repo_type": "public" if around.is_public else "private",
    }


def _ours(event_id: str, happened: events.Event) -> dict[str, Any]:
    """Return what Harbor has no field for; `is_new` belongs to a push."""
    given = {
        "artifact_type": happened.artifact_type,
        "subject": happened.subject,
        "is_new": happened.is_new if happened.action is Action.PUSH else None,
    }
    return {
        "event_id": event_id,
        "tags": list(happened.tags),
        "media_type": happened.media_type,
        "size_bytes": happened.size_bytes,
        **{name: value for name, value in given.items() if value is not None},
    }


def _told(happened: events.Event) -> Iterator[tuple[str, str]]:
    yield "Repository", happened.repository
    if happened.tags:
        yield "Tags", ", ".join(happened.tags)
    yield "Digest", happened.digest
    yield "By", happened.by or "anonymous"


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
