from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from jobservice.domain import hook
from jobservice.domain.hook import (
    EventType,
    Hook,
    HookSettings,
    PayloadFormat,
    Subject,
    Target,
    TargetKind,
)
from jobservice.domain.hook_delivery import DeliveryStatus, HookDelivery
from jobservice.domain.task import TaskStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENDED = Subject(type=EventType.EXECUTION, status="failed")


def one(project_id: int | None = None, **settings: object) -> Hook:
    wanted = HookSettings(name="ops", event_types=(EventType.EXECUTION,))
    return Hook(
        id=1,
        project_id=project_id,
        settings=replace(wanted, **settings),  # type: ignore[arg-type]  # by name
        targets=(),
        creator="",
        created_at=NOW,
        updated_at=NOW,
    )


def test_a_hook_is_told_what_it_asked_for() -> None:
    assert one().wants(ENDED)
    assert not one().wants(replace(ENDED, type=EventType.REPLICATION))
    assert not one(enabled=False).wants(ENDED)


def test_a_hook_hears_of_executions_or_of_tasks_never_of_both() -> None:
    task = replace(ENDED, is_task=True)
    assert not one().wants(task)
    assert one(per_task=True).wants(task)
    assert not one(per_task=True).wants(ENDED)


def test_a_hook_may_want_certain_ends_only() -> None:
    assert one(statuses=("failed", "stopped")).wants(ENDED)
    assert not one(statuses=("succeeded",)).wants(ENDED)


def test_what_is_no_run_has_no_end_to_choose_by() -> None:
    overdue = Subject(type=EventType.SCHEDULE_OVERDUE)
    types = (EventType.SCHEDULE_OVERDUE,)
    assert one(per_task=True, statuses=("failed",), event_types=types).wants(overdue)


@pytest.mark.parametrize(("project_id", "told"), [(3, True), (4, False), (None, False)])
def test_a_projects_hook_hears_of_its_project_alone(project_id: int | None, *, told: bool) -> None:
    assert one(project_id=3).wants(replace(ENDED, project_id=project_id)) is told


@pytest.mark.parametrize("status", TaskStatus)
def test_a_delivery_is_where_its_task_is(status: TaskStatus) -> None:
    expected = DeliveryStatus.FAILED if status.is_final else DeliveryStatus.PENDING
    if status is TaskStatus.SUCCEEDED:
        expected = DeliveryStatus.DELIVERED
    assert DeliveryStatus.of(status) is expected


def test_a_secret_is_sealed_for_its_column_and_row() -> None:
    assert len({hook.auth_header_context(1), hook.secret_context(1), hook.secret_context(2)}) == 3


def test_a_target_never_prints_its_address() -> None:
    target = Target(
        id=1, kind=TargetKind.SLACK, format=PayloadFormat.DEFAULT, address="https://s.example/T0P"
    )
    assert "T0P" not in repr(target) + target.shown


def test_a_delivery_says_where_it_is() -> None:
    delivery = HookDelivery(
        id=1,
        hook_id=1,
        event_id="",
        event_type="TEST",
        target="",
        content_type="",
        payload="",
        execution_id=1,
        task_id=1,
        is_repeat=False,
        task_status=TaskStatus.RETRYING,
        error=None,
        attempts=1,
        response_code=None,
        response_body="",
        not_before=None,
        created_at=NOW,
        delivered_at=None,
    )
    assert delivery.status is DeliveryStatus.PENDING
