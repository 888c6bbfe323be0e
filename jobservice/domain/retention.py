"""A retention policy as this service remembers it, and what a run of one follows and decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self

from jobservice.domain.policy import SnapshotEndpoint
from jobservice.domain.schedule import ScheduleOptions
from registry.retention.rule_set import RuleSet

# Harbor's word for the vendor of executions and schedules, and for the job of one repository.
VENDOR_TYPE: Final = "RETENTION"
PLAN_TYPE: Final = "RETENTION_PLAN"
APPROVAL_DAYS: Final = 7


def document(rules: RuleSet) -> dict[str, Any]:
    """Return the form in which policies and executions keep rules."""
    return {"rules": rules.harbor, "own": rules.own, "scope": rules.scope.value}


def rules_of(kept: Mapping[str, Any]) -> RuleSet:
    """Read what `document` wrote."""
    return RuleSet.parse(kept["rules"], kept["own"], kept["scope"])


class Approval(StrEnum):
    """What became of the question whether a run may delete so much."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings:
    """What a user says. The place is a project of this registry, or another registry.

    Without `cron` the policy runs by hand only. A run that its schedule starts and that would take
    more than `guard_percent` of what it looks at asks first.
    """

    project_id: int | None = None
    endpoint_id: int | None = None
    rules: RuleSet
    cron: str = ""
    schedule: ScheduleOptions = field(default_factory=ScheduleOptions)
    guard_percent: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """One row; `place` is the name of its project, or of its `registry`."""

    id: int
    settings: RetentionSettings
    place: str
    registry: SnapshotEndpoint | None = None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSnapshot:
    """What a run follows, whatever becomes of its policy meanwhile.

    A run that nobody started by hand `is_guarded`: it decides everything first, and may have to
    ask. `by` is who started it.
    """

    policy_id: int
    place: str
    project_id: int | None
    registry: SnapshotEndpoint | None
    rules: RuleSet
    dry_run: bool
    is_guarded: bool
    guard_percent: int
    by: str = ""

    @classmethod
    def of(
        cls, policy: RetentionPolicy, *, dry_run: bool, is_guarded: bool = False, by: str = ""
    ) -> Self:
        """Return what a run of a policy follows."""
        tried = cls.tried(policy.settings, policy.place, policy.registry)
        return replace(
            tried,
            policy_id=policy.id,
            dry_run=dry_run,
            is_guarded=is_guarded and not dry_run,
            by=by,
        )

    @classmethod
    def tried(
        cls, settings: RetentionSettings, place: str, registry: SnapshotEndpoint | None
    ) -> Self:
        """Return what a dry run of a policy follows that is not saved."""
        return cls(
            policy_id=0,
            place=place,
            project_id=settings.project_id,
            registry=registry,
            rules=settings.rules,
            dry_run=True,
            is_guarded=False,
            guard_percent=settings.guard_percent,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the form that an execution keeps."""
        return {
            "policy_id": self.policy_id,
            "place": self.place,
            "project_id": self.project_id,
            "registry": self.registry.to_json() if self.registry else None,
            "rules": document(self.rules),
            "dry_run": self.dry_run,
            "is_guarded": self.is_guarded,
            "guard_percent": self.guard_percent,
            "by": self.by,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        said = value["registry"]
        registry = SnapshotEndpoint.from_json(said) if said else None
        return cls(**{**value, "rules": rules_of(value["rules"]), "registry": registry})


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRun:
    """What a guarded run decided in all, and whether it waits for somebody."""

    execution_id: int
    round: int = 1
    candidates: int = 0
    doomed: int = 0
    doomed_bytes: int = 0
    approval: Approval | None = None
    reasons: tuple[str, ...] = ()
    asked_at: datetime | None = None
    expires_at: datetime | None = None
    answered_at: datetime | None = None
    answered_by: str = ""

    @property
    def is_waiting(self) -> bool:
        """Whether somebody has to answer before anything is deleted."""
        return self.approval is Approval.WAITING
