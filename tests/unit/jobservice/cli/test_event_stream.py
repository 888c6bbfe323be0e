from __future__ import annotations

import pytest

from jobservice.cli import event as event_command
from jobservice.cli import task_history, watching
from jobservice.cli.event_stream import Event, Parser

STREAM = (
    b'retry: 2000\n\n: still here\n\nid: 7.1\nevent: task\ndata: {"a": "\xc3\xa9"}\n\n'
    b"event: end\r\ndata: {}\r\n\r\n"
)
EVENTS = [Event(name="task", data={"a": "é"}, id="7.1"), Event(name="end", data={})]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_events_are_read_however_they_are_cut(size: int) -> None:
    parser = Parser()
    pieces = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
    assert [event for piece in pieces for event in parser.feed(piece)] == EVENTS


TOLD = {
    "id": 7,
    "vendor_type": "replication",
    "status": "running",
    "total": 10,
    "succeeded": 3,
    "failed": 1,
    "stopped": 0,
    "bytes_done": 5 * 1024 * 1024,
    "bytes_total": None,
    "bytes_per_second": None,
    "seconds_left": None,
}


def test_progress_leaves_out_what_nobody_can_tell() -> None:
    assert watching.progress(TOLD) == "execution 7: running, 4 of 10 tasks, 1 failed, 5.0 MiB"
    known = {"bytes_total": 10 * 1024 * 1024, "bytes_per_second": 1024, "seconds_left": 5120}
    assert watching.progress({**TOLD, **known}).endswith(
        "5.0 MiB of 10.0 MiB, 1.0 KiB/s, 5120 s left"
    )


def test_an_event_is_a_line() -> None:
    task = {
        "occurred_at": "2026-01-02T03:04:05.678901Z",
        "task_id": 9,
        "execution_id": 7,
        "job_type": "act",
        "was": "running",
        "becomes": "retrying",
        "worker_id": 3,
        "reason": "429",
    }
    assert event_command.line(Event(name="task", data=task)) == (
        "2026-01-02T03:04:05Z task 9 of execution 7 (act) running -> retrying by worker 3: 429"
    )
    queues = {"queues": {"act": {"pending": 2, "running": 1}}}
    assert event_command.line(Event(name="queue", data=queues)) == (
        "queues: act 2 pending, act 1 running"
    )
    assert "4 of 10 tasks" in event_command.line(Event(name="execution", data=TOLD))
    gap = Event(name="gap", data={"message": "look anew"})
    assert event_command.line(gap) == "look anew"


def test_a_timeline_says_how_long_each_step_took() -> None:
    created = {"occurred_at": "2026-01-02T03:04:05Z", "becomes": "pending", "attempt": 1}
    ran = {
        "occurred_at": "2026-01-02T03:04:07.5Z",
        "becomes": "running",
        "attempt": 2,
        "worker_id": 3,
        "worker": "host",
        "reason": "claimed",
    }
    first, second = task_history.lines([created, ran])
    assert first == "2026-01-02 03:04:05              pending"
    assert second == (
        "2026-01-02 03:04:07      +2.5 s  running    worker 3 on host  attempt 2  claimed"
    )
