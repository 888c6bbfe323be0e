"""What of the audit log is to go, as Harbor says it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

VENDOR_TYPE = "PURGE_AUDIT_LOG"
RETENTION = "audit_retention_hour"
EVENT_TYPES = "include_event_types"
OPERATIONS = "include_operations"
DRY_RUN = "dry_run"
LONGEST_HOURS = 240_000
TEXT_LIMIT = 10_000
WORD = re.compile(r"[a-z_]{1,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeParameters:
    """Entries older than so many hours go whose event type, or operation alone, is named."""

    retention_hours: int
    events: tuple[str, ...] = ()
    dry_run: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return Harbor's form, which a schedule and an execution keep."""
        return {
            RETENTION: self.retention_hours,
            EVENT_TYPES: ",".join(self.events),
            DRY_RUN: self.dry_run,
        }

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        """Read Harbor's form, in which `problems` found nothing."""
        words = [*_words(value.get(EVENT_TYPES)), *_words(value.get(OPERATIONS))]
        return cls(
            retention_hours=value[RETENTION],
            events=tuple(dict.fromkeys(words)),
            dry_run=bool(value.get(DRY_RUN)),
        )


def problems(value: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with Harbor's form, a sentence each."""
    hours = value.get(RETENTION)
    if not isinstance(hours, int) or isinstance(hours, bool) or not 1 <= hours <= LONGEST_HOURS:
        yield f"parameters.{RETENTION}: is needed, a number of hours from 1 to {LONGEST_HOURS}"
    if not isinstance(value.get(DRY_RUN, False), bool):
        yield f"parameters.{DRY_RUN}: is neither true nor false"
    for name in (EVENT_TYPES, OPERATIONS):
        yield from _text_problems(f"parameters.{name}", value.get(name))


def _text_problems(place: str, text: object) -> Iterator[str]:
    if text is None:
        return
    if not isinstance(text, str) or len(text) > TEXT_LIMIT:
        yield f"{place}: is a text of names, separated by commas"
        return
    for word in _words(text):
        if not WORD.fullmatch(word):
            yield f"{place}: {word[:80]!r} is no name"


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]
