"""An event as every format tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from jobservice.domain.hook import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened: for programs `data` in Harbor's shape, for people a title and its facts.

    `name` is the event's name as CloudEvents want it; `id` stays the same however often it is sent.
    `notifications` are what distribution's envelope holds.
    """

    id: str
    subject: Subject
    name: str
    occurred_at: datetime
    operator: str
    data: Mapping[str, Any]
    title: str
    facts: Mapping[str, str] = field(default_factory=dict)
    is_good: bool = True
    notifications: Sequence[Mapping[str, Any]] = ()
