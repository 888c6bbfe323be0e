"""Times that an artifact says of itself: annotations of its manifest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

CREATED: Final = "org.opencontainers.image.created"
AT: Final = "transship.expires-at"  # RFC 3339
AFTER: Final = ("transship.expires-after", "quay.expires-after")  # since the push: 12h, 3d, 2w
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_DURATION: Final = re.compile(r"([0-9]{1,9})([smhdwy])")


def expires(annotations: Mapping[str, str], pushed: float | None) -> float | None:
    """Return the earliest time that is said, in seconds since the epoch.

    None if none is said, or none that can be read.
    """
    said = [moment(annotations.get(AT, ""))]
    for name in AFTER:
        form = _DURATION.fullmatch(annotations.get(name, ""))
        if form is not None and pushed is not None:
            said.append(pushed + int(form[1]) * _UNITS[form[2]])
    return min((time for time in said if time is not None), default=None)


def moment(text: str) -> float | None:
    """Return the time that RFC 3339 text says, in seconds since the epoch; None if it says none.

    Without a zone it is UTC.
    """
    try:
        read = datetime.fromisoformat(text)
        return read.replace(tzinfo=read.tzinfo or UTC).timestamp()
    except ValueError:
        return None
