"""CloudEvents 1.0 in structured JSON, with the attributes that Harbor gives them.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from __future__ import annotations

from typing import Any, Final

from jobservice.domain.hook_payloads.event import Event

CONTENT_TYPE: Final = "application/cloudevents+json"


def payload(event: Event, *, hook_id: int, project_id: int | None) -> dict[str, Any]:
    """Return the message. `source` is the hook's path as Harbor writes it, with project 0 for all.

    `requestid` is one of Harbor's extensions; here it is the event's id.
    """
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": f"/projects/{project_id or 0}/webhook/policies/{hook_id}",
        "type": event.name,
        "time": event.occurred_at.isoformat(),
        "datacontenttype": "application/json",
        "operator": event.operator,
        "requestid": event.id,
        "data": dict(event.data),
    }
