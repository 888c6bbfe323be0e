from __future__ import annotations

import pytest

from jobservice.domain import pause
from jobservice.domain.pause import Held, PauseScope


@pytest.mark.parametrize(
    ("held", "comment", "wrong"),
    [
        (Held(scope=PauseScope.JOB_TYPE), "", "say which job type"),
        (Held(scope=PauseScope.SCHEDULES, key="7"), "", "schedules takes none"),
        (Held(scope=PauseScope.POLICY, key="seven"), "", "'seven' is no id of a policy"),
        (Held(scope=PauseScope.DESTINATION, key="-1"), "", "'-1' is no id of a destination"),
        (Held(scope=PauseScope.EVERYTHING), "x" * 1001, "1000 are allowed"),
    ],
)
def test_what_cannot_be_paused_is_said(held: Held, comment: str, wrong: str) -> None:
    (problem,) = pause.problems(held, comment)
    assert wrong in problem


@pytest.mark.parametrize(
    ("held", "named"),
    [
        (Held(scope=PauseScope.JOB_TYPE, key="copy"), "job type copy"),
        (Held(scope=PauseScope.POLICY, key="7"), "policy 7"),
        (Held(scope=PauseScope.DESTINATION, key="0"), "destination 0"),
        (Held(scope=PauseScope.EVERYTHING), "everything"),
    ],
)
def test_a_scope_names_what_it_holds(held: Held, named: str) -> None:
    assert list(pause.problems(held, "maintenance")) == []
    assert str(held) == named
