"""What happens to this registry's content, as it is told to others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self


class Action(StrEnum):
    """What was done. A push is any PUT of a manifest, whether or not it was there before.

    DELETE takes an artifact with its tags; UNTAG takes a tag and leaves the artifact.
    """

    PUSH = "push"
    PULL = "pull"
    DELETE = "delete"
    UNTAG = "untag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that was done to one artifact, as it was then.

    `tags` are those that the action was about. `subject` is the digest of what the artifact refers
    to. `is_new`: the repository did not have the artifact before it was pushed. `by` is a user's
    name, empty for nobody known.
    """

    action: Action
    project_id: int
    repository: str
    digest: str
    tags: tuple[str, ...]
    media_type: str
    artifact_type: str | None
    size_bytes: int
    subject: str | None
    by: str
    is_new: bool

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what registry.metadata.outbox wrote; fields of a later release are left out."""
        known = {name: value[name] for name in cls.__slots__}
        return cls(**{**known, "action": Action(value["action"]), "tags": tuple(value["tags"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event on its way: its id stays the same however often it is told."""

    id: int
    event_id: str
    occurred_at: datetime
    facts: Mapping[str, Any]
