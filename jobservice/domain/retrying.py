"""When a failed task tries again: exponential pauses with jitter."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRule:
    """`attempts` counts all tries, the first included; pauses double up to the longest."""

    attempts: int = 3
    first_seconds: float = 5.0
    longest_seconds: float = 300.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or not 0 < self.first_seconds <= self.longest_seconds:
            raise ValueError(
                "a retry rule has at least one attempt and pauses that grow from above zero"
            )

    def allows(self, attempt: int) -> bool:
        """Say whether another try may follow the try with this number."""
        return attempt < self.attempts

    def delay_seconds(self, attempt: int, *, jitter: float) -> float:
        """Return the pause after a try; `jitter` from 0 to 1 takes off up to half."""
        # The exponent is bounded before it is used: 2.0 ** 1100 overflows.
        full = min(self.longest_seconds, self.first_seconds * 2.0 ** min(attempt - 1, 64))
        return full * (1 - jitter / 2)
