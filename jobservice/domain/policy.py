"""A replication policy as this service remembers it, and the snapshot an execution runs from."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from jobservice.domain.endpoint import EndpointSettings
from jobservice.domain.schedule import ScheduleOptions
from protocol.content import ListedArtifact
from protocol.digest import Digest
from replication.policy import ReplicationPolicy


class TriggerKind(StrEnum):
    """What starts an execution."""

    MANUAL = "manual"
    SCHEDULED = "scheduled"
    EVENT_BASED = "event_based"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """What a user says: both ends (None is this registry), when, and the rules of copying.

    `cron` and `schedule` belong to a scheduled trigger. Executions have the policy's `priority`.
    """

    name: str
    description: str = ""
    source_endpoint_id: int | None = None
    destination_endpoint_id: int | None = None
    trigger: TriggerKind = TriggerKind.MANUAL
    cron: str | None = None
    schedule: ScheduleOptions = field(default_factory=ScheduleOptions)
    enabled: bool = True
    replicate_deletion: bool = False
    single_active: bool = False
    priority: int = 0
    rules: ReplicationPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPolicy:
    """One row."""

    id: int
    settings: PolicySettings
    zone: str | None = None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotEndpoint:
    """One side of a snapshot; no secrets. The worker reads the credential by `endpoint_id`."""

    endpoint_id: int
    kind: str
    url: str
    name: str
    insecure: bool

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that snapshots keep."""
        return {
            "endpoint_id": self.endpoint_id,
            "kind": self.kind,
            "url": self.url,
            "name": self.name,
            "insecure": self.insecure,
        }

    @classmethod
    def of(cls, endpoint_id: int, settings: EndpointSettings) -> Self:
        """Return what a run keeps of an endpoint."""
        return cls(
            endpoint_id=endpoint_id,
            kind=settings.kind,
            url=settings.url,
            name=settings.name,
            insecure=settings.insecure,
        )

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(**value)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySnapshot:
    """Everything an execution follows, as it was when the execution started.

    `only` are the artifacts that it is limited to; None for everything that the rules take.
    """

    rules: ReplicationPolicy
    source: SnapshotEndpoint
    destination: SnapshotEndpoint
    only: tuple[ListedArtifact, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that executions keep."""
        limited = {} if self.only is None else {"only": [_listed_json(one) for one in self.only]}
        return {
            "policy": self.rules.to_json(),
            "source": self.source.to_json(),
            "destination": self.destination.to_json(),
            **limited,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        only = value.get("only")
        return cls(
            rules=ReplicationPolicy.from_json(value["policy"]),
            source=SnapshotEndpoint.from_json(value["source"]),
            destination=SnapshotEndpoint.from_json(value["destination"]),
            only=None if only is None else tuple(map(_listed, only)),
        )


def _listed_json(artifact: ListedArtifact) -> dict[str, Any]:
    return {
        "repository": artifact.repository,
        "tags": list(artifact.tags),
        "digest": str(artifact.digest) if artifact.digest else None,
    }


def _listed(value: dict[str, Any]) -> ListedArtifact:
    digest = Digest.parse(value["digest"]) if value["digest"] else None
    return ListedArtifact(repository=value["repository"], tags=tuple(value["tags"]), digest=digest)
