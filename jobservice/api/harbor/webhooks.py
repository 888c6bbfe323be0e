"""Hooks in Harbor's words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from jobservice.api.models import webhook as models
from jobservice.domain.execution import Execution, ExecutionStatus
from jobservice.domain.hook import ASKED_FOR, FORMATS, OF_ARTIFACTS, Hook, Target
from jobservice.domain.hook_delivery import HookDelivery
from jobservice.domain.policy import TriggerKind
from jobservice.domain.task import Task, TaskStatus
from jobservice.endpoints import MASK
from jobservice.errors import InvalidRequest
from jobservice.hook_targets import WantedTarget
from jobservice.hooks import Wanted
from jobservice.store.hooks import LastTrigger

VENDOR_TYPE: Final = "WEBHOOK"
PROJECT_OF_ALL: Final = 0
EXECUTION_STATUS: Final[Mapping[ExecutionStatus, str]] = {
    ExecutionStatus.PENDING: "Pending",
    ExecutionStatus.RUNNING: "Running",
    ExecutionStatus.SUCCEEDED: "Success",
    ExecutionStatus.FAILED: "Error",
    ExecutionStatus.STOPPED: "Stopped",
}
TASK_STATUS: Final[Mapping[TaskStatus, str]] = {
    TaskStatus.PENDING: "Pending",
    TaskStatus.QUEUED: "Pending",
    TaskStatus.RETRYING: "Scheduled",
    TaskStatus.RUNNING: "Running",
    TaskStatus.SUCCEEDED: "Success",
    TaskStatus.FAILED: "Error",
    TaskStatus.STOPPED: "Stopped",
}
TRIGGER: Final[Mapping[TriggerKind, str]] = {
    TriggerKind.MANUAL: "MANUAL",
    TriggerKind.SCHEDULED: "SCHEDULE",
    TriggerKind.EVENT_BASED: "EVENT",
}


def policy(hook: Hook) -> models.WebhookPolicy:
    """Show a hook; secrets are masked."""
    settings = hook.settings
    return models.WebhookPolicy(
        id=hook.id,
        name=settings.name,
        description=settings.description,
        project_id=hook.project_id or PROJECT_OF_ALL,
        targets=[_target(target) for target in hook.targets],
        event_types=[one.value for one in settings.event_types],
        creator=hook.creator,
        creation_time=hook.created_at,
        update_time=hook.updated_at,
        enabled=settings.enabled,
        transship=models.TransshipHook(
            per_task=settings.per_task, statuses=list(settings.statuses)
        ),
    )


def _target(target: Target) -> models.WebhookTargetObject:
    secret = MASK if target.secret_sealed else None
    return models.WebhookTargetObject(
        type=target.kind.value,
        address=target.address,
        auth_header=MASK if target.auth_header_sealed else None,
        skip_cert_verify=target.skip_cert_verify,
        payload_format=target.format.value,
        transship=models.TransshipTarget(secret=secret) if secret else None,
    )


def wanted(body: models.WebhookPolicy, *, project_id: int | None = None) -> Wanted:
    """Read a hook of a project, or of the installation; raise InvalidRequest for another's."""
    if body.project_id and body.project_id != project_id:
        path = "/projects/{project_name_or_id}/webhook/policies"
        raise InvalidRequest([f"project_id: {body.project_id}: its hooks are beneath {path}"])
    ours = body.transship
    if ours is None and "transship" in body.model_fields_set:
        ours = models.TransshipHook()
    return Wanted(
        name=body.name,
        description=body.description,
        event_types=body.event_types,
        statuses=ours.statuses if ours else None,
        per_task=ours.per_task if ours else None,
        enabled=bool(body.enabled),
        targets=None if body.targets is None else [_wanted_target(one) for one in body.targets],
    )


def _wanted_target(body: models.WebhookTargetObject) -> WantedTarget:
    secret = body.transship.secret if body.transship else None
    if body.transship is None and "transship" in body.model_fields_set:
        secret = ""
    return WantedTarget(
        kind=body.type or "",
        address=body.address or "",
        format=body.payload_format or "",
        skip_cert_verify=bool(body.skip_cert_verify),
        auth_header=body.auth_header,
        secret=secret,
    )


def supported(*, project_id: int | None = None) -> models.SupportedWebhookEventTypes:
    """Show what hooks of a project, or of the installation, can be made of."""
    known = ASKED_FOR if project_id is None else OF_ARTIFACTS
    return models.SupportedWebhookEventTypes(
        event_type=[one.value for one in known],
        notify_type=[kind.value for kind in FORMATS],
        payload_formats=[
            models.PayloadFormat(notify_type=kind.value, formats=[one.value for one in formats])
            for kind, formats in FORMATS.items()
        ],
    )


def last_trigger(found: LastTrigger) -> models.WebhookLastTrigger:
    """Show when a hook last told of a type of event."""
    return models.WebhookLastTrigger(
        policy_name=found.name,
        event_type=found.event_type,
        enabled=found.enabled,
        creation_time=found.created_at,
        last_trigger_time=found.triggered_at,
    )


def execution(found: Execution, hook_id: int) -> models.Execution:
    """Show an event on its way to a hook's targets."""
    under_way = found.in_progress
    is_running = found.status is ExecutionStatus.RUNNING
    return models.Execution(
        id=found.id,
        vendor_type=VENDOR_TYPE,
        vendor_id=hook_id,
        status=EXECUTION_STATUS[found.status],
        status_message=found.status_text,
        metrics=models.Metrics(
            task_count=found.total,
            success_task_count=found.succeeded,
            error_task_count=found.failed,
            pending_task_count=0 if is_running else under_way,
            running_task_count=under_way if is_running else 0,
            scheduled_task_count=0,
            stopped_task_count=found.stopped,
        ),
        trigger=TRIGGER[found.trigger],
        extra_attrs={},
        start_time=_moment(found.created_at),
        end_time=_moment(found.ended_at) if found.ended_at else None,
    )


def task(found: Task) -> models.Task:
    """Show a message on its way to one target."""
    latest = found.ended_at or found.started_at or found.created_at
    return models.Task(
        id=found.id,
        execution_id=found.execution_id,
        status=TASK_STATUS[found.status],
        status_message=found.error.message if found.error else "",
        run_count=found.attempt,
        extra_attrs={},
        creation_time=_moment(found.created_at),
        update_time=_moment(latest),
        start_time=_moment(found.started_at) if found.started_at else None,
        end_time=_moment(found.ended_at) if found.ended_at else None,
    )


def delivery(found: HookDelivery, *, whole: bool = False) -> models.HookDelivery:
    """Show a delivery, with its payload if `whole`."""
    is_waiting = found.task_status in {TaskStatus.RETRYING, TaskStatus.PENDING}
    return models.HookDelivery(
        id=found.id,
        event_id=found.event_id,
        event_type=found.event_type,
        target=found.target,
        status=found.status.value,
        is_repeat=found.is_repeat,
        attempts=found.attempts,
        response_code=found.response_code,
        response_body=found.response_body or None,
        error=found.error.message if found.error and not found.delivered_at else None,
        not_before=found.not_before if is_waiting else None,
        created_at=found.created_at,
        delivered_at=found.delivered_at,
        execution_id=found.execution_id,
        task_id=found.task_id,
        content_type=found.content_type if whole else None,
        payload=found.payload if whole else None,
    )


def _moment(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
