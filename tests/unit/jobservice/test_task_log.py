from __future__ import annotations

from jobservice import task_log
from jobservice.task_log import TaskLog


def _line(**facts: object) -> dict[str, object]:
    return {"timestamp": "2026-01-01T00:00:00Z", "level": "info", "event": "copied", **facts}


def test_a_line_is_time_level_event_and_facts() -> None:
    text = task_log.line(_line(tag="1.0", execution=4, task=5, attempt=1))
    assert text == "2026-01-01T00:00:00Z INFO    copied tag=1.0"


def test_control_characters_of_a_line_are_escaped() -> None:
    text = task_log.line(_line(message="a\nfake line\x1b[31m\x00\ud800"))
    assert text.endswith(r"message=a\nfake line\x1b[31m\x00?")
    text.encode()


def test_a_line_does_not_change_the_direction_of_writing_or_look_like_two() -> None:
    text = task_log.line(_line(message="a\u202eb\u2028c\x9bd\u2066e"))
    assert text.endswith(r"message=a\u202eb\u2028c\x9bd\u2066e")


def test_a_long_line_is_cut() -> None:
    text = task_log.line(_line(message="x" * 10_000_000))
    assert len(text) < 5000
    assert text.endswith("(cut)")


def test_a_log_is_handed_out_once_and_in_order() -> None:
    log = TaskLog(task_id=1, fence=2)
    log.write(_line(n=1))
    first = log.take()
    log.write(_line(n=2))
    second = log.take()
    assert [chunk.sequence for chunk in first + second] == [1, 2]
    assert "n=1" in first[0].text
    assert "n=2" in second[0].text
    assert log.take() == []


def test_a_log_says_that_it_was_cut() -> None:
    log = TaskLog(task_id=1, fence=2)
    for _ in range(1000):
        log.write(_line(message="x" * 4000))
    chunks = log.take()
    text = "".join(chunk.text for chunk in chunks)
    assert len(text) < task_log.LIMIT_BYTES + 5000
    assert text.endswith(f"the log is cut here: it reached {task_log.LIMIT_BYTES} bytes\n")
    assert all(len(chunk.text.encode()) <= 2 * task_log.CHUNK_BYTES for chunk in chunks)
