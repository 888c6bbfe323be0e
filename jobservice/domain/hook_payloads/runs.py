"""Executions and tasks that ended, as events; Harbor's `replication` block where it is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from jobservice.domain.hook import EventType, Subject
from jobservice.domain.hook_payloads.event import Event

REPLICATION: Final = "replication"
ARTIFACT_TYPE: Final = "image"
# Harbor's words.
JOB_STATUS: Final = {"succeeded": "Success", "failed": "Error", "stopped": "Stopped"}
TRIGGER_TYPE: Final = {"manual": "MANUAL", "scheduled": "SCHEDULE", "event_based": "EVENT"}
_COUNTS: Final = ("total", "succeeded", "failed", "stopped", "unchanged")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedTask:
    """One task of an execution, for the list of what succeeded and what failed."""

    status: str
    parameters: Mapping[str, Any]
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What the facts of an end do not hold: the policy, both ends, the first tasks."""

    external_url: str = ""
    policy_name: str = ""
    description: str = ""
    snapshot: Mapping[str, Any] = field(default_factory=dict)
    tasks: Sequence[EndedTask] = ()


def subject(facts: Mapping[str, Any], *, project_id: int | None, is_task: bool) -> Subject:
    """Return what decides who hears of it."""
    is_replication = facts["vendor_type"] == REPLICATION
    return Subject(
        type=EventType.REPLICATION if is_replication else EventType.EXECUTION,
        project_id=project_id,
        status=facts["status"],
        is_task=is_task,
    )


def event(
    event_id: str,
    about: Subject,
    occurred_at: datetime,
    facts: Mapping[str, Any],
    background: Background,
) -> Event:
    """Return the event of an execution's or a task's end."""
    is_replication = about.type is EventType.REPLICATION
    replication = _replication(facts, background) if is_replication else None
    data = {"replication": replication} if replication else {}
    return Event(
        id=event_id,
        subject=about,
        name="harbor.replication.status.changed" if is_replication else _name(about),
        occurred_at=occurred_at,
        operator=facts["started_by"],
        data={**data, "transship": _ours(event_id, facts, background)},
        title=_title(about, facts, background),
        facts=dict(_told(facts, background)),
        is_good=facts["status"] == "succeeded",
    )


def _name(about: Subject) -> str:
    return "transship.task.ended" if about.is_task else "transship.execution.ended"


def _ours(event_id: str, facts: Mapping[str, Any], background: Background) -> dict[str, Any]:
    """Return what Harbor has no field for: an execution's counts, a task's attempt and error."""
    names = ("execution_id", "task_id", "policy_id", "status", "status_text", *_COUNTS)
    given = {name: facts[name] for name in names if facts.get(name) is not None}
    given |= {name: facts[name] for name in ("job_type", "attempt", "error") if facts.get(name)}
    return {
        "event_id": event_id,
        "vendor_type": facts["vendor_type"].upper(),
        "policy_name": background.policy_name,
        "created_at": facts["created_at"],
        "ended_at": facts["ended_at"],
        **given,
    }


def _replication(facts: Mapping[str, Any], background: Background) -> dict[str, Any]:
    namespace = _namespace(background.tasks)
    snapshot = background.snapshot
    rules = snapshot.get("policy", {})
    source = _resource(snapshot.get("source", {}), namespace, background)
    into = rules.get("destination_namespace") or namespace
    destination = _resource(snapshot.get("destination", {}), into, background)
    block = {
        "harbor_hostname": urlsplit(background.external_url).netloc,
        "job_status": JOB_STATUS[facts["status"]],
        "description": background.description,
        "artifact_type": ARTIFACT_TYPE,
        "override_mode": bool(rules.get("override")),
        "trigger_type": TRIGGER_TYPE[facts["trigger"]],
        "policy_creator": facts["started_by"],
        "execution_timestamp": int(datetime.fromisoformat(facts["created_at"]).timestamp()),
        "src_resource": source,
        "dest_resource": destination,
        "successful_artifact": list(_artifacts(background.tasks, "succeeded", namespace)),
        "failed_artifact": list(_artifacts(background.tasks, "failed", namespace)),
        "execution_id": facts["execution_id"],
    }
    return block if facts.get("task_id") is None else {**block, "task_id": facts["task_id"]}


def _resource(end: Mapping[str, Any], namespace: str, background: Background) -> dict[str, Any]:
    return {
        "registry_name": end.get("name", ""),
        "registry_type": end.get("kind", ""),
        "endpoint": end.get("url") or background.external_url,
        "namespace": namespace,
    }


def _namespace(tasks: Sequence[EndedTask]) -> str:
    """Return the first part of all repositories' names, empty where they differ or have none."""
    parts = {_repository(task).partition("/") for task in tasks}
    firsts = {first if slash else "" for first, slash, _ in parts}
    return firsts.pop() if len(firsts) == 1 else ""


def _repository(task: EndedTask) -> str:
    return str(task.parameters.get("source_repository", ""))


def _artifacts(tasks: Sequence[EndedTask], status: str, namespace: str) -> Iterator[dict[str, Any]]:
    """Yield the tasks of a status as Harbor's artifacts: `repo [N item(s) in total]`, and tags."""
    for task in tasks:
        if task.status == status:
            tags = list(task.parameters.get("tags", ()))
            name = _repository(task).removeprefix(f"{namespace}/" if namespace else "")
            artifact = {
                "type": ARTIFACT_TYPE,
                "status": JOB_STATUS[status],
                "name_tag": f"{name} [{max(1, len(tags))} item(s) in total]",
                "references": tags,
            }
            yield {**artifact, "fail_reason": task.error} if task.error else artifact


def _title(about: Subject, facts: Mapping[str, Any], background: Background) -> str:
    kind = str(facts["vendor_type"]).replace("_", " ").capitalize()
    named = f" {background.policy_name!r}" if background.policy_name else ""
    number = f"execution {facts['execution_id']}"
    if about.is_task:
        number = f"task {facts['task_id']} of {number}"
    return f"{kind}{named} {facts['status']}: {number}"


def _told(facts: Mapping[str, Any], background: Background) -> Iterator[tuple[str, str]]:
    source, destination = (background.snapshot.get(end, {}) for end in ("source", "destination"))
    if source and destination:
        yield "From", source.get("url") or source.get("name", "")
        yield "To", destination.get("url") or destination.get("name", "")
    if facts.get("total") is not None:
        yield "Tasks", ", ".join(f"{facts[name]} {name}" for name in _COUNTS if facts[name])
    yield "Started by", facts["started_by"] or facts["trigger"].replace("_", " ")
    for name, text in (("Error", facts.get("error")), ("Said", facts.get("status_text"))):
        if text:
            yield name, text
    failed = next((task for task in background.tasks if task.error), None)
    if failed is not None and not facts.get("error"):
        yield "First failure", f"{_repository(failed)}: {failed.error}"
