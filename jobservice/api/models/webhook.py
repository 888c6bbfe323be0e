"""Hooks, their executions and tasks in Harbor's shape (its tag `webhook`), and their deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from jobservice.api.models.base import ById, HarborModel, Id, LinkedPaging, OwnModel
from jobservice.api.models.project import ProjectPath


class TransshipTarget(OwnModel):
    """What Harbor's target has no field for; `secret` signs messages and reads as `*****`."""

    secret: str | None = Field(default=None, repr=False)


class WebhookTargetObject(HarborModel):
    """Where a hook leads; `auth_header` reads as `*****`."""

    type: str | None = None
    address: str | None = Field(default=None, repr=False)
    auth_header: str | None = Field(default=None, repr=False)
    skip_cert_verify: bool | None = None
    payload_format: str | None = None
    transship: TransshipTarget | None = None


class TransshipHook(OwnModel):
    """What Harbor's policy has no field for: a message per task, and only of certain ends."""

    per_task: bool = False
    statuses: list[str] = Field(default_factory=list)


class WebhookPolicy(HarborModel):
    """Who is told what; project 0 is the whole installation."""

    id: int | None = None
    name: str | None = None
    description: str | None = None
    project_id: int | None = None
    targets: list[WebhookTargetObject] | None = None
    event_types: list[str] | None = None
    creator: str | None = None
    creation_time: datetime | None = None
    update_time: datetime | None = None
    enabled: bool | None = None
    transship: TransshipHook | None = None


class PayloadFormat(HarborModel):
    """The shapes that one kind of target takes."""

    notify_type: str
    formats: list[str]


class SupportedWebhookEventTypes(HarborModel):
    """What hooks can be made of."""

    event_type: list[str]
    notify_type: list[str]
    payload_formats: list[PayloadFormat]


class WebhookLastTrigger(HarborModel):
    """When a hook last told of a type of event."""

    policy_name: str
    event_type: str
    enabled: bool
    creation_time: datetime
    last_trigger_time: datetime | None = None


class Metrics(HarborModel):
    """How many tasks an execution has, by state."""

    task_count: int
    success_task_count: int
    error_task_count: int
    pending_task_count: int
    running_task_count: int
    scheduled_task_count: int
    stopped_task_count: int


class Execution(HarborModel):
    """One event on its way to a hook's targets."""

    id: int
    vendor_type: str
    vendor_id: int
    status: str
    status_message: str
    metrics: Metrics
    trigger: str
    extra_attrs: dict[str, Any]
    start_time: str
    end_time: str | None = None


class Task(HarborModel):
    """One message on its way to one target."""

    id: int
    execution_id: int
    status: str
    status_message: str
    run_count: int
    extra_attrs: dict[str, Any]
    creation_time: str
    update_time: str
    start_time: str | None = None
    end_time: str | None = None


class HookDelivery(OwnModel):
    """One message to one target and how it fared: `pending`, `delivered` or `failed`.

    The payload only where a delivery is asked for by its id.
    """

    id: int
    event_id: str
    event_type: str
    target: str
    status: str
    is_repeat: bool
    attempts: int
    response_code: int | None = None
    response_body: str | None = None
    error: str | None = None
    not_before: datetime | None = None
    created_at: datetime
    delivered_at: datetime | None = None
    execution_id: int
    task_id: int
    content_type: str | None = None
    payload: str | None = None


class HookTest(OwnModel):
    """The deliveries that a test began."""

    deliveries: list[int]


class HookListQuery(LinkedPaging):
    """Lists of the tag `webhook`."""

    q: str | None = None
    sort: str | None = None


class DeliveryListQuery(HookListQuery):
    """The deliveries of a hook, which Harbor does not have."""

    model_config = ConfigDict(extra="forbid")


class HookExecutionPath(ById):
    """An execution of a hook."""

    execution_id: Id


class HookTaskPath(HookExecutionPath):
    """A task of a hook's execution."""

    task_id: Id


class HookDeliveryPath(ById):
    """A delivery of a hook."""

    delivery_id: Id


class ProjectHookPath(ProjectPath):
    """A hook of a project, by Harbor's name of the parameter."""

    webhook_policy_id: Id

    @property
    def id(self) -> int:
        """The hook's id, as on the installation's paths."""
        return self.webhook_policy_id


class ProjectHookExecutionPath(ProjectHookPath):
    """An execution of a project's hook."""

    execution_id: Id


class ProjectHookTaskPath(ProjectHookExecutionPath):
    """A task of an execution of a project's hook."""

    task_id: Id


class ProjectHookDeliveryPath(ProjectHookPath):
    """A delivery of a project's hook."""

    delivery_id: Id
