"""What becomes of a claimed task: the row that the settler writes if the claim still stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobservice.domain.task import Claimed, TaskError, TaskStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """One try's end. Final, or `retrying` (an attempt is spent) or `pending` (none is).

    `reason` tells people why; of a stopped task Postgres knows better who asked. `status_text` goes
    to the execution; None leaves that as it is. With `endpoint_id` the registry asked for the
    pause. `duration_seconds` counts from the claim.
    """

    task: Claimed
    status: TaskStatus
    reason: str = ""
    error: TaskError | None = None
    result: Mapping[str, Any] | None = None
    unchanged: bool = False
    status_text: str | None = None
    delay_seconds: float = 0.0
    endpoint_id: int | None = None
    duration_seconds: float = 0.0

    @property
    def key(self) -> tuple[int, int]:
        """Task id and fence."""
        return self.task.id, self.task.fence

    @property
    def attempts(self) -> int:
        """How many attempts it spends."""
        return 1 if self.status is TaskStatus.RETRYING else 0

    @property
    def bytes_copied(self) -> int:
        """What the job says it moved."""
        count = (self.result or {}).get("bytes_copied", 0)
        return count if isinstance(count, int) else 0
