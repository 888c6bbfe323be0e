"""Retention policies and their runs in Harbor's shape (its tag `Retention`)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from jobservice.api.models.base import HarborModel, Id, LinkedPaging, OwnModel, OwnPaging
from jobservice.api.models.schedule import TransshipSchedule


class RetentionRuleParamMetadata(HarborModel):
    """A number that a template takes."""

    type: str
    unit: str
    required: bool


class RetentionRuleMetadata(HarborModel):
    """A template that rules can have."""

    rule_template: str
    display_text: str
    action: str
    params: list[RetentionRuleParamMetadata]


class RetentionSelectorMetadata(HarborModel):
    """A kind of selector that rules can have."""

    display_text: str
    kind: str
    decorations: list[str]


class RetentionMetadata(HarborModel):
    """What rules can say."""

    templates: list[RetentionRuleMetadata]
    scope_selectors: list[RetentionSelectorMetadata]
    tag_selectors: list[RetentionSelectorMetadata]


class RetentionSelector(HarborModel):
    """Which repositories, or which tags."""

    kind: str | None = None
    decoration: str | None = None
    pattern: str | None = None
    extras: str | None = None


class RetentionRule(HarborModel):
    """What is kept: the artifacts that a template takes of those that the selectors take."""

    id: int | None = None
    priority: int | None = None
    disabled: bool | None = None
    action: str | None = None
    template: str | None = None
    params: dict[str, Any] | None = None
    tag_selectors: list[RetentionSelector] | None = None
    scope_selectors: dict[str, list[RetentionSelector]] | None = None


class RetentionRuleTrigger(HarborModel):
    """When the policy runs by itself: `settings.cron`, empty for never."""

    kind: str | None = None
    settings: dict[str, Any] | None = None
    references: dict[str, Any] | None = None


class RetentionPolicyScope(HarborModel):
    """What the policy is about: level `project`, and the project's id."""

    level: str | None = None
    ref: Id | None = None


class TransshipRetention(OwnModel):
    """What Harbor's policy has no field for; docs/retention.md says what rules can hold.

    With `registry_id` the policy is not about a project but about another registry.
    """

    registry_id: Id | None = None
    rules: list[dict[str, Any]] = Field(default_factory=list)
    scope: Literal["digest", "tag"] = "digest"
    guard_percent: Annotated[int, Field(ge=1, le=100)] = 50
    schedule: TransshipSchedule | None = None


class RetentionPolicy(HarborModel):
    """A retention policy."""

    id: int | None = None
    algorithm: str | None = None
    rules: list[RetentionRule] | None = None
    trigger: RetentionRuleTrigger | None = None
    scope: RetentionPolicyScope | None = None
    transship: TransshipRetention | None = None


class RetentionListQuery(OwnPaging):
    """GET /retentions."""

    q: str | None = None
    sort: str | None = None


class StartRetention(HarborModel):
    """Whether to delete, or only to say what would be."""

    dry_run: bool = False


class AnswerRetention(HarborModel):
    """`stop`; and for a run that waits `approve` or `reject`."""

    action: str | None = None


class TransshipRetentionExecution(OwnModel):
    """What a run decided and did; `reasons` are why somebody has to approve, or had to.

    `remarks` are about rules that met nothing; only a run that is asked for alone has them.
    """

    pending_approval: bool
    approval: str | None = None
    reasons: list[str] = Field(default_factory=list)
    asked_at: datetime | None = None
    expires_at: datetime | None = None
    answered_at: datetime | None = None
    answered_by: str | None = None
    candidates: int | None = None
    doomed: int | None = None
    doomed_bytes: int | None = None
    repositories: int
    failed: int
    total: int | None = None
    retained: int | None = None
    deleted: int | None = None
    untagged: int | None = None
    deleted_bytes: int | None = None
    refused: int | None = None
    status_text: str | None = None
    remarks: list[str] = Field(default_factory=list)


class RetentionExecution(HarborModel):
    """A run of a policy."""

    id: int
    policy_id: int
    start_time: datetime | None = None
    end_time: datetime | None = None
    status: str
    trigger: str
    dry_run: bool
    transship: TransshipRetentionExecution


class TransshipRetentionTask(OwnModel):
    """What Harbor's task has no field for."""

    repository: str
    deleted: int | None = None
    untagged: int | None = None
    deleted_bytes: int | None = None
    refused: int | None = None
    remarks: list[str] = Field(default_factory=list)
    error: str | None = None


class RetentionExecutionTask(HarborModel):
    """A run's work in one repository."""

    id: int
    execution_id: int
    repository: str
    job_id: str
    status: str
    status_code: int
    status_revision: int
    start_time: datetime | None = None
    end_time: datetime | None = None
    total: int
    retained: int
    transship: TransshipRetentionTask


class RetentionPageQuery(LinkedPaging):
    """The lists of a policy's runs and of their tasks."""


class RetentionExecutionPath(BaseModel):
    """A path with a policy's and a run's id."""

    id: Id
    eid: Id


class RetentionTaskPath(BaseModel):
    """A path with a policy's, a run's and a task's id."""

    id: Id
    eid: Id
    tid: Id


class PreviewQuery(BaseModel):
    """How a preview is told."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["json", "csv", "html", "text"] = "json"
