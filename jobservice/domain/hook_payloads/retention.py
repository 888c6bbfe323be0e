"""What retention deleted, and what it asks for, as events; Harbor's `retention` block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from jobservice.domain.hook import EventType, Subject
from jobservice.domain.hook_payloads.event import Event

ARTIFACT_TYPE: Final = "image"
SUCCESS: Final = "SUCCESS"


def finished(
    event_id: str,
    occurred_at: datetime,
    facts: Mapping[str, Any],
    *,
    project_id: int | None,
    snapshot: Mapping[str, Any],
    external_url: str,
) -> Event:
    """Return the event of a repository of which retention deleted something."""
    where, count = facts["repository"], facts["deleted"] + facts["untagged"]
    short = where.removeprefix(f"{facts['place']}/")
    block = {
        "total": facts["total"],
        "retained": facts["retained"],
        "harbor_hostname": urlsplit(external_url).netloc,
        "project_name": facts["place"],
        "retention_policy_id": facts["policy_id"],
        "retention_rule": list(_rules(snapshot)),
        "result": SUCCESS,
        "deleted_artifact": [
            {"type": ARTIFACT_TYPE, "status": SUCCESS, "name_tag": _name_tag(short, one)}
            for one in facts["named"]
        ],
    }
    ours = {"event_id": event_id, **{name: facts[name] for name in _OURS}}
    return Event(
        id=event_id,
        subject=Subject(type=EventType.TAG_RETENTION, project_id=project_id),
        name="harbor.tag_retention.finished",
        occurred_at=occurred_at,
        operator=facts["started_by"],
        data={"retention": block, "transship": ours},
        title=f"Retention deleted {_what(facts)} in {where}",
        facts={
            "Deleted": _listed(facts["named"], count),
            "Execution": str(facts["execution_id"]),
        },
    )


def approval_wanted(
    event_id: str, occurred_at: datetime, facts: Mapping[str, Any], *, project_id: int | None
) -> Event:
    """Return the event of a run that waits until somebody approves."""
    policy_id, execution_id = facts["policy_id"], facts["execution_id"]
    return Event(
        id=event_id,
        subject=Subject(type=EventType.RETENTION_APPROVAL, project_id=project_id),
        name="transship.retention.approval_wanted",
        occurred_at=occurred_at,
        operator="",
        data={"transship": {"event_id": event_id, **facts}},
        title=f"Retention of {facts['place']} waits for approval",
        facts={
            "Would delete": f"{facts['doomed']} of {facts['candidates']}",
            "Why it asks": "; ".join(facts["reasons"]),
            "Until": str(facts["expires_at"]),
            "Approve with": f"transship retention approve {policy_id} {execution_id}",
        },
        is_good=False,
    )


_OURS: Final = (
    "execution_id",
    "task_id",
    "repository",
    "deleted",
    "untagged",
    "deleted_bytes",
    "refused",
)


def _what(facts: Mapping[str, Any]) -> str:
    parts = [f"{facts['deleted']} of {facts['total']} artifacts"] if facts["deleted"] else []
    if facts["untagged"]:
        parts.append(f"{facts['untagged']} tags")
    return " and ".join(parts)


def _rules(snapshot: Mapping[str, Any]) -> Sequence[Any]:
    rules: Sequence[Any] = snapshot.get("rules", {}).get("rules", [])
    return rules


def _name_tag(repository: str, reference: str) -> str:
    return f"{repository}{'@' if ':' in reference else ':'}{reference}"


def _listed(named: Sequence[str], count: int) -> str:
    shown = ", ".join(named[:5])
    return f"{shown} and {count - 5} more" if count > len(named[:5]) else shown
