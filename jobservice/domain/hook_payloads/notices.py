"""Events that are about no execution: a schedule that did not fire, and somebody trying a hook."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jobservice.domain.hook import EventType, Subject
from jobservice.domain.hook_payloads.event import Event


def overdue(
    event_id: str, occurred_at: datetime, facts: Mapping[str, Any], *, project_id: int | None
) -> Event:
    """Return the event of a schedule whose fire time passed without an execution."""
    shown = {name: value for name, value in facts.items() if value is not None}
    whose = f"{facts['vendor_type']} {facts['vendor_id']}"
    return Event(
        id=event_id,
        subject=Subject(type=EventType.SCHEDULE_OVERDUE, project_id=project_id),
        name="transship.schedule.overdue",
        occurred_at=occurred_at,
        operator="",
        data={"transship": {"event_id": event_id, **shown}},
        title=f"Schedule {facts['schedule_id']} ({whose}) is overdue",
        facts={"Due at": str(facts["due_at"]), "Cron": str(facts["cron"])},
        is_good=False,
    )


def trial(event_id: str, occurred_at: datetime, *, hook_name: str, operator: str) -> Event:
    """Return the event that somebody sends to try a hook."""
    return Event(
        id=event_id,
        subject=Subject(type=EventType.TEST),
        name="transship.hook.test",
        occurred_at=occurred_at,
        operator=operator,
        data={"transship": {"event_id": event_id, "hook": hook_name}},
        title=f"Hook {hook_name!r} works",
        facts={"Sent by": operator},
    )
