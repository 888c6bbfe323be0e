from __future__ import annotations

from typing import Any

import pytest

from jobservice.cli import watching
from jobservice.cli.errors import CommandError

COUNTS: dict[str, Any] = {"total": 0, "succeed": 0, "failed": 0, "in_progress": 0, "stopped": 0}
EFFORT = {"unchanged": 1, "bytes_copied": 2048, "bytes_saved": 10, "requests": 7}


def test_a_running_execution_shows_its_counts() -> None:
    running = {"id": 3, "status": "InProgress", **COUNTS, "total": 2, "in_progress": 2}
    assert watching.summary(running) == "execution 3: InProgress (2 total, 2 in progress)"


def test_an_ended_execution_shows_what_it_took() -> None:
    ended = {"id": 3, "status": "Succeed", **COUNTS, "total": 2, "succeed": 2, "transship": EFFORT}
    assert watching.summary(ended) == (
        "execution 3: Succeed (2 total, 2 succeed); "
        "1 up to date, 2.0 KiB moved, 10 B not moved again, 7 requests"
    )


def test_an_execution_that_did_nothing_says_why() -> None:
    told = "nothing to replicate: 0 of 4 repositories and 0 of 0 tags matched"
    ended = {"id": 3, "status": "Succeed", **COUNTS, "transship": EFFORT, "status_text": told}
    assert watching.summary(ended) == f"execution 3: Succeed; {told}"


def test_only_success_is_success() -> None:
    watching.want_success({"id": 3, "status": "Succeed"})
    with pytest.raises(CommandError, match="execution 3 ended as Stopped"):
        watching.want_success({"id": 3, "status": "Stopped"})


def test_a_failed_task_has_a_reason() -> None:
    assert watching.reason({"id": 1, "transship": {"error": {"message": "no"}}}) == "no"
    assert watching.reason({"id": 1}) == ""


def test_what_was_left_out_has_examples() -> None:
    assert watching.examples({"count": 2, "examples": ["a:1", "a:2"]}) == "2 (a:1, a:2)"
    many = {"count": 9, "examples": ["a:1", "a:2", "a:3", "a:4"]}
    assert watching.examples(many) == "9 (a:1, a:2, a:3, …)"
