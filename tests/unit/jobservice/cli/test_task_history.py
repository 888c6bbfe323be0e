from __future__ import annotations

from typing import Any

from jobservice.cli import task_history


def step(second: int) -> dict[str, Any]:
    return {
        "occurred_at": f"2026-11-26T02:00:{second:02d}+00:00",
        "becomes": "running",
        "attempt": 1,
        "worker_id": second,
    }


def test_the_last_steps_are_shown_and_where_the_others_are() -> None:
    steps = [step(second) for second in range(10)]
    told = list(task_history.last_lines(steps, 7))
    assert told[0] == "4 steps before: `transship task timeline 7`"
    assert told[1:] == list(task_history.lines(steps))[4:]


def test_few_steps_are_shown_whole() -> None:
    steps = [step(1), step(3)]
    assert list(task_history.last_lines(steps, 7)) == [
        "2026-11-26 02:00:01              running    worker 1",
        "2026-11-26 02:00:03      +2.0 s  running    worker 3",
    ]
    assert list(task_history.last_lines([], 7)) == []
