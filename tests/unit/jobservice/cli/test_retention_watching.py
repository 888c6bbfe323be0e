from __future__ import annotations

from typing import Any

import pytest

from jobservice.cli import retention_watching


def execution(**own: Any) -> dict[str, Any]:
    return {
        "id": 9,
        "policy_id": 4,
        "status": "Pending",
        "dry_run": False,
        "transship": {"pending_approval": False, "reasons": [], **own},
    }


def test_a_run_that_waits_says_why_and_how_it_goes_on() -> None:
    waiting = execution(
        pending_approval=True,
        approval="waiting",
        expires_at="2026-12-03T08:16:20Z",
        reasons=["takes the last tag of team/tool", "deletes everything in team/tool, where"],
    )
    assert retention_watching.note(waiting) == (
        "waits to be approved until 2026-12-03T08:16:20Z (`transship retention approve 4 9`, or"
        " `reject`): takes the last tag of team/tool; deletes everything in team/tool, where"
    )


@pytest.mark.parametrize(
    ("own", "note"),
    [
        ({}, ""),
        ({"status_text": "0 of 2 repositories are covered by a rule"}, "0 of 2 repositories are"),
        ({"approval": "approved", "answered_by": "ann"}, "approved by ann"),
        ({"approval": "rejected", "answered_by": "ann"}, "rejected by ann"),
        ({"approval": "expired"}, "nobody approved in time, and nothing was deleted"),
    ],
)
def test_a_run_that_was_answered_says_by_whom(own: dict[str, Any], note: str) -> None:
    assert retention_watching.note(execution(**own)).startswith(note)
