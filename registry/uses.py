"""What clients of this process asked for and is not in the database yet.

Kept in memory for some seconds, so that reads write nothing; a crash loses those seconds, of counts
and times only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

# A use is not written down where one was less than this before: enough for what is unused for days.
# Whoever wants to know whether something was used since a moment minds that (metadata/retiring.py).
EXACT_TO: Final = timedelta(minutes=1)
KEYS_LIMIT: Final = 20_000
PULLS_LIMIT: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Used:
    """A manifest by its row, and the tag that it was asked by; empty for its digest."""

    repository_id: int
    manifest_id: int
    tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """One pull, to be told of; `by` is empty for nobody known."""

    used: Used
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What was used, each with the number of its pulls; `lost` is what there was no room for."""

    counts: Mapping[Used, int] = field(default_factory=dict)
    pulls: Sequence[Pull] = ()
    lost: int = 0


class UseBuffer:
    """Takes notes. `tells_pulls`: somebody wants to hear of pulls one by one."""

    def __init__(self) -> None:
        self._counts: dict[Used, int] = {}
        self._pulls: list[Pull] = []
        self._lost = 0
        self.tells_pulls = True

    def note(self, used: Used, *, pulls: int = 0) -> None:
        """Remember a use, and how many pulls it was."""
        if used in self._counts or len(self._counts) < KEYS_LIMIT:
            self._counts[used] = self._counts.get(used, 0) + pulls
        else:
            self._lost += 1

    def pulled(self, used: Used, *, by: str) -> None:
        """Remember a pull."""
        self.note(used, pulls=1)
        if self.tells_pulls:
            self._tell(Pull(used=used, by=by))

    def take(self) -> Uses:
        """Hand everything out and begin anew."""
        taken = Uses(counts=self._counts, pulls=self._pulls, lost=self._lost)
        self._counts, self._pulls, self._lost = {}, [], 0
        return taken

    def put_back(self, uses: Uses) -> None:
        """Keep what could not be written, as far as there is room."""
        for used, pulls in uses.counts.items():
            self.note(used, pulls=pulls)
        for pull in uses.pulls:
            self._tell(pull)
        self._lost += uses.lost

    def _tell(self, pull: Pull) -> None:
        if len(self._pulls) < PULLS_LIMIT:
            self._pulls.append(pull)
        else:
            self._lost += 1
