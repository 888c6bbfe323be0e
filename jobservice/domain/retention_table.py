"""The log of a retention task: a table that says of each artifact what becomes of it, and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from jobservice.domain.retention_verdict import Verdict

# A digest's algorithm and its first twelve digits are enough to find it.
_DIGEST: Final = 19
_TAGS: Final = 32
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP: Final = 1024

HEADING: Final = (
    f"{'':8} {'DIGEST':{_DIGEST}} {'TAGS':{_TAGS}} {'SIZE':>10}  {'PUSHED':16} {'USED':16} WHY"
)


def row(word: str, verdict: Verdict, why: str) -> str:
    """Return one line of the table under HEADING."""
    return (
        f"{word:8} {verdict.digest[:_DIGEST]:{_DIGEST}} {shown_tags(verdict.tags):{_TAGS}}"
        f" {shown_bytes(verdict.size_bytes):>10}  {_moment(verdict.pushed_at):16}"
        f" {_moment(verdict.used_at):16} {why}"
    )


def shown_tags(tags: Sequence[str]) -> str:
    """Return the tags, as many as there is room for, and how many more there are."""
    if not tags:
        return "-"
    text = ", ".join(tags)
    if len(text) <= _TAGS:
        return text
    more = f" +{len(tags) - 1}" if len(tags) > 1 else ""
    room = _TAGS - len(more)
    first = tags[0] if len(tags[0]) <= room else f"{tags[0][: room - 1]}…"
    return f"{first}{more}"


def shown_bytes(count: int) -> str:
    """Return a size for people."""
    value, place = float(count), 0
    while value >= _STEP and place < len(_UNITS) - 1:
        value, place = value / _STEP, place + 1
    return f"{count} B" if place == 0 else f"{value:.1f} {_UNITS[place]}"


def _moment(time: datetime | None) -> str:
    return "-" if time is None else f"{time:%Y-%m-%d %H:%M}"
