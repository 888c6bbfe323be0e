"""Policies, executions and tasks in Harbor's shape (its tag `replication`)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from jobservice.api.models.base import ById, HarborModel, Id, LinkedPaging, OwnModel
from jobservice.api.models.registry import Registry
from jobservice.api.models.schedule import TransshipSchedule


class ReplicationTriggerSettings(HarborModel):
    """When a scheduled policy runs."""

    cron: str | None = None


class ReplicationTrigger(HarborModel):
    """What starts a policy."""

    type: str | None = None
    trigger_settings: ReplicationTriggerSettings | None = None


class ReplicationFilter(HarborModel):
    """One condition; `value` is text, or a list of names for labels."""

    type: str | None = None
    value: str | list[str] | None = None
    decoration: str | None = None


class TransshipPolicy(OwnModel):
    """What Harbor's policy has no field for; `schedule` only with a scheduled trigger."""

    referrers: bool = True
    priority: Annotated[int, Field(ge=-9, le=9)] = 0
    schedule: TransshipSchedule | None = None


class ReplicationPolicy(HarborModel):
    """A replication policy. An absent registry, or one with id 0, is this registry."""

    id: int | None = None
    name: str | None = None
    description: str | None = None
    src_registry: Registry | None = None
    dest_registry: Registry | None = None
    dest_namespace: str | None = None
    dest_namespace_replace_count: Annotated[int, Field(ge=-128, le=127)] | None = None
    trigger: ReplicationTrigger | None = None
    filters: list[ReplicationFilter] | None = None
    replicate_deletion: bool | None = None
    deletion: bool | None = None
    override: bool | None = None
    enabled: bool | None = None
    creation_time: datetime | None = None
    update_time: datetime | None = None
    speed: Annotated[int, Field(ge=-(2**31), lt=2**31)] | None = None
    copy_by_chunk: bool | None = None
    single_active_replication: bool | None = None
    transship: TransshipPolicy | None = None


class StartReplicationExecution(HarborModel):
    """Which policy to start."""

    policy_id: Annotated[int, Field(ge=1, lt=2**63)]


class LeftOut(OwnModel):
    """Why something was listed and not copied, how often, and the first few examples."""

    reason: str
    count: int
    examples: list[str]


class TransshipExecution(OwnModel):
    """What Harbor's execution has no field for.

    Bytes and requests are what its ended tasks took, its plan included. `bytes_done` counts what
    running tasks have moved as well; what nobody can tell yet is left out.
    """

    unchanged: int
    bytes_done: int
    bytes_total: int | None = None
    bytes_per_second: int | None = None
    seconds_left: int | None = None
    bytes_copied: int
    bytes_saved: int
    requests: int
    left_out: list[LeftOut]


class ReplicationExecution(HarborModel):
    """One run of a policy; `transship` only where one is asked for by its id."""

    id: int
    policy_id: int
    status: str
    trigger: str
    start_time: datetime
    end_time: datetime | None = None
    status_text: str
    total: int
    failed: int
    succeed: int
    in_progress: int
    stopped: int
    transship: TransshipExecution | None = None


class TransshipTaskError(OwnModel):
    """Why a task failed: the sentence, the class of error, and where it happened if known."""

    message: str
    kind: str
    operation: str = ""
    side: str = ""
    reference: str = ""
    retryable: bool = False


class TransshipProgress(OwnModel):
    """How far a running task is; what nobody can tell is left out."""

    bytes_done: int
    bytes_total: int | None = None
    items_done: int
    items_total: int | None = None
    bytes_per_second: int | None = None
    seconds_left: int | None = None


class TransshipTask(OwnModel):
    """What Harbor's task has no field for; only where there is something to say."""

    error: TransshipTaskError | None = None
    progress: TransshipProgress | None = None


class ReplicationTask(HarborModel):
    """One artifact, with the tags that one listing page gives for it, on its way."""

    id: int
    execution_id: int
    status: str
    job_id: str
    operation: str
    resource_type: str
    src_resource: str
    dst_resource: str
    start_time: datetime | None = None
    end_time: datetime | None = None
    transship: TransshipTask | None = None


class PolicyListQuery(LinkedPaging):
    """GET /replication/policies."""

    q: str | None = None
    sort: str | None = None
    name: str | None = None


class ExecutionListQuery(LinkedPaging):
    """GET /replication/executions."""

    sort: str | None = None
    policy_id: Id | None = None
    status: str | None = None
    trigger: str | None = None


class TaskListQuery(LinkedPaging):
    """GET /replication/executions/{id}/tasks."""

    sort: str | None = None
    status: str | None = None
    resource_type: str | None = None


class TaskPath(ById):
    """A task within an execution."""

    task_id: Id
