from __future__ import annotations

import pytest

from jobservice.domain.task import TaskError, TaskStatus


def test_every_state_that_is_not_final_can_end() -> None:
    """No state is a trap: from each one a final state can be reached."""
    for start in TaskStatus:
        reached = {start}
        while True:
            further = reached | {s for r in reached for s in TaskStatus if r.may_become(s)}
            if further == reached:
                break
            reached = further
        assert any(status.is_final for status in reached), start


def test_only_an_operator_reopens_what_ended_and_never_what_succeeded() -> None:
    final = {status for status in TaskStatus if status.is_final}
    assert final == {TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.STOPPED}
    assert not any(TaskStatus.SUCCEEDED.may_become(other) for other in TaskStatus)
    for status in final - {TaskStatus.SUCCEEDED}:
        assert [o for o in TaskStatus if status.may_become(o)] == [TaskStatus.PENDING]


@pytest.mark.parametrize("status", [s for s in TaskStatus if s is not TaskStatus.QUEUED])
def test_only_what_was_queued_can_be_claimed(status: TaskStatus) -> None:
    assert not status.may_become(TaskStatus.RUNNING)


def test_an_error_survives_its_json_form() -> None:
    error = TaskError(
        message="no", kind="NotFound", operation="get", side="source", reference="a:b"
    )
    assert TaskError.from_json(error.to_json()) == error
