"""Retention policies and their runs in Harbor's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from jobservice.api.harbor import schedules
from jobservice.api.harbor.upkeep import KIND, STATUS
from jobservice.api.models import retention as models
from jobservice.domain import schedule as schedule_rules
from jobservice.domain.retention import RetentionPolicy, RetentionSettings
from jobservice.domain.schedule import ScheduleOptions
from jobservice.domain.task import Task, TaskStatus
from jobservice.errors import InvalidRequest, SameRules
from jobservice.retention_runs import View
from registry.retention import rule_set
from registry.retention.rule_set import RuleSet

ALGORITHM: Final = "or"
LEVEL: Final = "project"
TRIGGER: Final = "Schedule"
CRON: Final = "cron"
STOP: Final = "stop"
APPROVE: Final = "approve"
REJECT: Final = "reject"
# Harbor's words and numbers for the states of a job.
TASK_STATUS: Final[Mapping[TaskStatus, tuple[str, int]]] = {
    TaskStatus.PENDING: ("Pending", 0),
    TaskStatus.QUEUED: ("Pending", 0),
    TaskStatus.RETRYING: ("Scheduled", 1),
    TaskStatus.RUNNING: ("Running", 2),
    TaskStatus.SUCCEEDED: ("Success", 3),
    TaskStatus.FAILED: ("Error", 3),
    TaskStatus.STOPPED: ("Stopped", 3),
}
_COUNT: Final = models.RetentionRuleParamMetadata(type="int", unit="COUNT", required=True)
_DAYS: Final = models.RetentionRuleParamMetadata(type="int", unit="DAYS", required=True)
_TEMPLATES: Final[tuple[tuple[str, str, list[models.RetentionRuleParamMetadata]], ...]] = (
    ("latestPushedK", "the most recently pushed # artifacts", [_COUNT]),
    ("latestPulledN", "the most recently pulled # artifacts", [_COUNT]),
    ("nDaysSinceLastPush", "pushed within the last # days", [_DAYS]),
    ("nDaysSinceLastPull", "pulled within the last # days", [_DAYS]),
    ("always", "always", []),
)
METADATA: Final = models.RetentionMetadata(
    templates=[
        models.RetentionRuleMetadata(
            rule_template=template, display_text=text, action="retain", params=params
        )
        for template, text, params in _TEMPLATES
    ],
    scope_selectors=[
        models.RetentionSelectorMetadata(
            display_text="Repositories",
            kind="doublestar",
            decorations=["repoMatches", "repoExcludes"],
        )
    ],
    tag_selectors=[
        models.RetentionSelectorMetadata(
            display_text="Tags", kind="doublestar", decorations=["matches", "excludes"]
        ),
        models.RetentionSelectorMetadata(
            display_text="Labels", kind="label", decorations=["withLabels", "withoutLabels"]
        ),
    ],
)


def policy(found: RetentionPolicy) -> models.RetentionPolicy:
    """Show a policy."""
    settings = found.settings
    own = models.TransshipRetention(
        registry_id=settings.endpoint_id,
        rules=settings.rules.own,
        scope=settings.rules.scope.value,
        guard_percent=settings.guard_percent,
        schedule=schedules.options(settings.schedule) if settings.cron else None,
    )
    scope = models.RetentionPolicyScope(level=LEVEL, ref=settings.project_id)
    return models.RetentionPolicy(
        id=found.id,
        algorithm=ALGORITHM,
        rules=[models.RetentionRule.model_validate(rule) for rule in settings.rules.harbor],
        trigger=models.RetentionRuleTrigger(kind=TRIGGER, settings={CRON: settings.cron}),
        scope=scope if settings.project_id is not None else None,
        transship=own,
    )


def settings(
    body: models.RetentionPolicy, before: RetentionSettings | None = None
) -> RetentionSettings:
    """Read a policy; `before` gives what an absent `transship` leaves as it is.

    Raise InvalidRequest with everything that is wrong, NameTaken for two rules that say the same.
    """
    own = _own(body, before)
    options = schedules.schedule_options(own.schedule) if own.schedule else ScheduleOptions()
    cron = _cron(body)
    rules = [rule.model_dump(exclude_none=True) for rule in body.rules or []]
    found = [
        *_shape_problems(body, own),
        *_cron_problems(cron, options, has_schedule=own.schedule is not None),
        *rule_set.problems(rules, own.rules, own.scope),
    ]
    if found:
        raise InvalidRequest(found)
    read = RuleSet.parse(rules, own.rules, own.scope)
    if twins := read.twins():
        raise SameRules(*twins)
    return RetentionSettings(
        project_id=body.scope.ref if body.scope else None,
        endpoint_id=own.registry_id,
        rules=read,
        cron=cron,
        schedule=options,
        guard_percent=own.guard_percent,
    )


def overlooked(body: models.RetentionPolicy) -> Iterator[str]:
    """Yield fields that Harbor's clients send and that have no effect."""
    if body.trigger is not None:
        for name in body.trigger.settings or {}:
            if name != CRON:
                yield f"trigger.settings.{name}"


def _own(
    body: models.RetentionPolicy, before: RetentionSettings | None
) -> models.TransshipRetention:
    """Return what `transship` says, or what was said before where it is absent."""
    if body.transship is not None:
        return body.transship
    if before is None or "transship" in body.model_fields_set:
        return models.TransshipRetention()
    has_schedule = bool(_cron(body)) and bool(before.cron)
    return models.TransshipRetention(
        registry_id=before.endpoint_id,
        rules=before.rules.own,
        scope=before.rules.scope.value,
        guard_percent=before.guard_percent,
        schedule=schedules.options(before.schedule) if has_schedule else None,
    )


def _cron(body: models.RetentionPolicy) -> str:
    given = (body.trigger.settings or {}).get(CRON) if body.trigger else None
    return given if isinstance(given, str) else ""


def _shape_problems(body: models.RetentionPolicy, own: models.TransshipRetention) -> Iterator[str]:
    if body.algorithm not in {None, "", ALGORITHM}:
        yield f"algorithm: {body.algorithm!r} is not known; it is {ALGORITHM}"
    if body.trigger is not None:
        if body.trigger.kind not in {None, "", TRIGGER}:
            yield f"trigger.kind: {body.trigger.kind!r} is not known; it is {TRIGGER}"
        if not isinstance((body.trigger.settings or {}).get(CRON, ""), str | None):
            yield f"trigger.settings.{CRON}: is not text"
    has_project = body.scope is not None and bool(body.scope.ref)
    if own.registry_id is None and not has_project:
        yield (
            "scope.ref: is missing; it is the id of a project (another registry's id is"
            " transship.registry_id)"
        )
    if own.registry_id is not None and has_project:
        yield "scope.ref: a policy with transship.registry_id is about no project; leave it out"
    if body.scope is not None and body.scope.level not in {None, "", LEVEL}:
        yield f"scope.level: {body.scope.level!r} is not known; it is {LEVEL}"


def _cron_problems(cron: str, options: ScheduleOptions, *, has_schedule: bool) -> Iterator[str]:
    if cron:
        for name, problem in schedule_rules.problems(cron, options):
            where = "trigger.settings.cron" if name == CRON else f"transship.schedule.{name}"
            yield f"{where}: {problem}"
    elif has_schedule:
        yield "transship.schedule: has no effect without trigger.settings.cron"


def execution(view: View) -> models.RetentionExecution:
    """Show a run; one that waits to be approved is pending, whatever its plan does."""
    found = view.execution
    is_waiting = view.decided is not None and view.decided.is_waiting and found.ended_at is None
    return models.RetentionExecution(
        id=found.id,
        policy_id=view.snapshot.policy_id,
        start_time=found.started_at or found.created_at,
        end_time=found.ended_at,
        status="Pending" if is_waiting else STATUS[found.status],
        trigger=KIND[found.trigger],
        dry_run=view.snapshot.dry_run,
        transship=_transship(view, is_waiting=is_waiting),
    )


def _transship(view: View, *, is_waiting: bool) -> models.TransshipRetentionExecution:
    found, decided, done = view.execution, view.decided, view.sum
    shown = models.TransshipRetentionExecution(
        pending_approval=is_waiting,
        repositories=found.total,
        failed=found.failed,
        status_text=found.status_text or None,
        remarks=list(view.remarks),
    )
    if decided is not None:
        shown.approval = decided.approval.value if decided.approval else None
        shown.reasons = list(decided.reasons)
        shown.asked_at, shown.expires_at = decided.asked_at, decided.expires_at
        shown.answered_at = decided.answered_at
        shown.answered_by = decided.answered_by or None
        shown.candidates, shown.doomed = decided.candidates, decided.doomed
        shown.doomed_bytes = decided.doomed_bytes
    if done is not None:
        shown.total, shown.retained = done.total, done.retained
        shown.deleted, shown.untagged = done.deleted, done.untagged
        shown.deleted_bytes = done.deleted_bytes
        shown.refused = done.refused
    return shown


def task(found: Task, place: str) -> models.RetentionExecutionTask:
    """Show a run's work in one repository, which Harbor names without its project."""
    status, code = TASK_STATUS[found.status]
    result = found.result or {}
    repository = str(found.parameters["repository"])
    return models.RetentionExecutionTask(
        id=found.id,
        execution_id=found.execution_id,
        repository=repository.removeprefix(f"{place}/"),
        job_id=str(found.id),
        status=status,
        status_code=code,
        status_revision=int(found.created_at.timestamp()),
        start_time=found.started_at or found.created_at,
        end_time=found.ended_at,
        total=result.get("total", 0),
        retained=result.get("retained", 0),
        transship=models.TransshipRetentionTask(
            repository=repository,
            deleted=result.get("deleted"),
            untagged=result.get("untagged"),
            deleted_bytes=result.get("deleted_bytes"),
            refused=result.get("refused"),
            remarks=result.get("remarks", []),
            error=found.error.message if found.error else None,
        ),
    )


def action(body: models.AnswerRetention) -> str:
    """Read what is to be done with a run; raise InvalidRequest."""
    if body.action not in {STOP, APPROVE, REJECT}:
        known = f"{STOP}, {APPROVE}, {REJECT}"
        told = f"{body.action!r} is not known" if body.action else "is missing"
        raise InvalidRequest([f"action: {told}; known are {known}"])
    return body.action
