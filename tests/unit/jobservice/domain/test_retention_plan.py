from __future__ import annotations

import pytest

from jobservice.domain.retention_plan import PlanState, Stage
from registry.retention.guard import Totals

TOTALS = Totals(candidates=7, going=1)


@pytest.mark.parametrize(("is_guarded", "stage"), [(True, Stage.DECIDING), (False, Stage.PLANNING)])
def test_who_starts_by_hand_has_decided(*, is_guarded: bool, stage: Stage) -> None:
    assert PlanState.of(None, is_guarded=is_guarded) == PlanState(stage=stage)


def test_a_state_is_read_as_it_was_written() -> None:
    totals = TOTALS.adding("team/app", candidates=3, going=2, empties=True, unselected=True)
    state = PlanState.of(None, is_guarded=True).decided("team/app", totals)
    state = state.entering(Stage.PLANNING).planned("team/app", covered=1, left_out=2)
    assert PlanState.of(state.to_json(), is_guarded=True) == state
    assert (state.after, state.pages, state.covered, state.left_out) == ("team/app", 1, 1, 2)


def test_another_round_begins_at_the_beginning() -> None:
    before = PlanState(stage=Stage.ASKED, after="team/z", totals=TOTALS, pages=3)
    assert before.anew() == PlanState(stage=Stage.DECIDING, round=2, pages=3)
