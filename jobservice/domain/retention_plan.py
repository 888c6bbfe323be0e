"""How far the plan of a retention run is: the content of its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Final, Self

from registry.retention.guard import Totals

NOTHING: Final = Totals()


class Stage(StrEnum):
    """What the plan does: it decides, waits to be approved, makes tasks, or is done."""

    DECIDING = "deciding"
    ASKED = "asked"
    PLANNING = "planning"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanState:
    """`after` is the last repository that was dealt with, `pages` counts what was written.

    `totals` are what a round of deciding has come to so far.
    """

    stage: Stage
    round: int = 1
    pages: int = 0
    after: str = ""
    covered: int = 0
    left_out: int = 0
    totals: Totals = NOTHING

    @classmethod
    def of(cls, checkpoint: Mapping[str, Any] | None, *, is_guarded: bool) -> Self:
        """Read what `to_json` wrote; without it the plan is at its beginning."""
        if checkpoint is None:
            return cls(stage=Stage.DECIDING if is_guarded else Stage.PLANNING)
        said = checkpoint["totals"]
        named = {name: tuple(said[name]) for name in ("emptied", "unselected")}
        totals = Totals(**{**said, **named})
        return cls(**{**checkpoint, "stage": Stage(checkpoint["stage"]), "totals": totals})

    def to_json(self) -> dict[str, Any]:
        """Return the form that the task keeps."""
        return {
            "stage": self.stage.value,
            "round": self.round,
            "pages": self.pages,
            "after": self.after,
            "covered": self.covered,
            "left_out": self.left_out,
            "totals": asdict(self.totals),
        }

    def decided(self, repository: str, totals: Totals) -> Self:
        """Return the state after a repository was decided about."""
        return replace(self, after=repository, totals=totals)

    def planned(self, after: str, *, covered: int, left_out: int) -> Self:
        """Return the state after a page of repositories became tasks."""
        return replace(
            self,
            after=after,
            pages=self.pages + 1,
            covered=self.covered + covered,
            left_out=self.left_out + left_out,
        )

    def entering(self, stage: Stage) -> Self:
        """Return the state at the beginning of a stage."""
        return replace(self, stage=stage, after="")

    def anew(self) -> Self:
        """Return the state at the beginning of another round of deciding."""
        start = replace(self, round=self.round + 1, totals=NOTHING)
        return start.entering(Stage.DECIDING)
