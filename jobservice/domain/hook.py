"""A hook: who is told what, where to, and in which shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit


class EventType(StrEnum):
    """What hooks may ask for, in the API's words; TEST comes when somebody tries a hook."""

    PUSH_ARTIFACT = "PUSH_ARTIFACT"
    PULL_ARTIFACT = "PULL_ARTIFACT"
    DELETE_ARTIFACT = "DELETE_ARTIFACT"
    DELETE_TAG = "DELETE_TAG"
    TAG_RETENTION = "TAG_RETENTION"
    RETENTION_APPROVAL = "RETENTION_APPROVAL"
    REPLICATION = "REPLICATION"
    EXECUTION = "EXECUTION"
    SCHEDULE_OVERDUE = "SCHEDULE_OVERDUE"
    TEST = "TEST"


class TargetKind(StrEnum):
    """Who reads the message."""

    HTTP = "http"
    SLACK = "slack"
    TEAMS = "teams"


class PayloadFormat(StrEnum):
    """The shape of the message; what chat programs want has no choice."""

    DEFAULT = "Default"
    CLOUD_EVENTS = "CloudEvents"
    DISTRIBUTION = "Distribution"


# What happens to artifacts of this registry.
OF_ARTIFACTS: Final = (
    EventType.PUSH_ARTIFACT,
    EventType.PULL_ARTIFACT,
    EventType.DELETE_ARTIFACT,
    EventType.DELETE_TAG,
)
# What a project's hooks hear of.
OF_PROJECTS: Final = (*OF_ARTIFACTS, EventType.TAG_RETENTION, EventType.RETENTION_APPROVAL)
ASKED_FOR: Final = (
    *OF_PROJECTS,
    EventType.REPLICATION,
    EventType.EXECUTION,
    EventType.SCHEDULE_OVERDUE,
)
FORMATS: Final[Mapping[TargetKind, tuple[PayloadFormat, ...]]] = {
    TargetKind.HTTP: tuple(PayloadFormat),
    TargetKind.SLACK: (PayloadFormat.DEFAULT,),
    TargetKind.TEAMS: (PayloadFormat.DEFAULT,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One address. The secrets belong to it and go nowhere else."""

    id: int
    kind: TargetKind
    format: PayloadFormat
    address: str = field(repr=False)
    skip_cert_verify: bool = False
    auth_header_sealed: bytes | None = field(default=None, repr=False)
    secret_sealed: bytes | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """The address without what may be secret: a query, and the path of a chat's address."""
        return shown_address(self.address, self.kind)


def shown_address(address: str, kind: TargetKind) -> str:
    """Return an address that may stand in logs and lists."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    path = parts.path if kind is TargetKind.HTTP else "/…"
    return f"{parts.scheme}://{host}{path}{'?…' if parts.query else ''}"


def auth_header_context(target_id: int) -> str:
    """Return what a target's Authorization header is sealed for."""
    return f"jobservice.hook_targets.auth_header:{target_id}"


def secret_context(target_id: int) -> str:
    """Return what a target's signing secret is sealed for."""
    return f"jobservice.hook_targets.secret:{target_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSettings:
    """What a user says. Of executions and tasks only those in `statuses`; none named means all."""

    name: str
    description: str = ""
    event_types: tuple[EventType, ...] = ()
    statuses: tuple[str, ...] = ()
    per_task: bool = False
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One row with its targets; without a project it is the whole installation's."""

    id: int
    project_id: int | None
    settings: HookSettings
    targets: tuple[Target, ...]
    creator: str
    created_at: datetime
    updated_at: datetime

    def wants(self, subject: Subject) -> bool:
        """Say whether something is to be told to this hook."""
        wanted = self.settings
        return (
            wanted.enabled
            and subject.type in wanted.event_types
            and self.project_id in {None, subject.project_id}
            and (not subject.is_run or wanted.per_task is subject.is_task)
            and (not wanted.statuses or subject.status in {None, *wanted.statuses})
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What decides who is told of an event. `status` is how an execution or a task ended."""

    type: EventType
    project_id: int | None = None
    status: str | None = None
    is_task: bool = False

    @property
    def is_run(self) -> bool:
        """Whether it is about an execution or one of its tasks."""
        return self.status is not None
