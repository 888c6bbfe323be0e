"""Harbor's Default payload: `type`, `occur_at`, `operator`, `event_data`."""

from __future__ import annotations

from typing import Any

from jobservice.domain.hook_payloads.event import Event


def payload(event: Event) -> dict[str, Any]:
    """Return the message; `occur_at` is in whole seconds."""
    return {
        "type": event.subject.type.value,
        "occur_at": int(event.occurred_at.timestamp()),
        "operator": event.operator,
        "event_data": dict(event.data),
    }
