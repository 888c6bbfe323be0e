"""How long collection waits: before it looks at something, and before bytes go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

REVIEW: Final = timedelta(minutes=10)
SHORT: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """`review` passes before a row is looked at, `window` before its bytes go."""

    review: timedelta
    window: timedelta

    @classmethod
    def of(cls, *, backup_window_days: int, gc_grace_seconds: int | None) -> Self:
        """Return what settings say: a grace sets both."""
        if gc_grace_seconds is None:
            return cls(review=REVIEW, window=timedelta(days=backup_window_days))
        grace = timedelta(seconds=gc_grace_seconds)
        return cls(review=grace, window=grace)

    @property
    def is_short(self) -> bool:
        """Whether last night's backup would find holes, and pushes have to be quick."""
        return self.window < SHORT
