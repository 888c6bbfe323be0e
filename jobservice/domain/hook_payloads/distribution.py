"""Distribution's notification envelope, which programs around registries read.

https://distribution.github.io/distribution/about/notifications/
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from jobservice.domain.hook_payloads.event import Event
from registry import events
from registry.events import Action

CONTENT_TYPE: Final = "application/vnd.docker.distribution.events.v2+json"
_ACTION: Final = {Action.UNTAG: "delete"}
_METHOD: Final = {Action.PUSH: "PUT", Action.PULL: "GET"}


def payload(event: Event) -> dict[str, Any]:
    """Return the message; empty for what is about no artifact, as a test is."""
    return {"events": [dict(one) for one in event.notifications]}


def notifications(
    event_id: str, occurred_at: datetime, happened: events.Event, *, external_url: str
) -> Iterator[dict[str, Any]]:
    """Yield one notification for each tag, or one for the digest where there is none.

    A deleted tag is told without the digest, and a deleted artifact without its tags: whoever reads
    takes what is named for gone.
    """
    named = () if happened.action is Action.DELETE else happened.tags
    for tag in named or (None,):
        yield {
            "id": event_id if tag is None else str(uuid.uuid5(uuid.UUID(event_id), tag)),
            "timestamp": occurred_at.isoformat(),
            "action": _ACTION.get(happened.action, happened.action.value),
            "target": _target(happened, tag, external_url),
            "request": {
                "id": event_id,
                "host": urlsplit(external_url).netloc,
                "method": _METHOD.get(happened.action, "DELETE"),
            },
            "actor": {"name": happened.by},
            "source": {"addr": urlsplit(external_url).netloc},
        }


def _target(happened: events.Event, tag: str | None, external_url: str) -> dict[str, Any]:
    named = {"repository": happened.repository} | ({} if tag is None else {"tag": tag})
    if happened.action is Action.UNTAG:
        return named
    if happened.action is Action.DELETE:
        return {**named, "digest": happened.digest}
    path = f"/v2/{happened.repository}/manifests/{happened.digest}"
    return {
        "mediaType": happened.media_type,
        "size": happened.size_bytes,
        "length": happened.size_bytes,
        "digest": happened.digest,
        "url": f"{external_url.rstrip('/')}{path}",
        **named,
    }
