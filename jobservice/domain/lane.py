"""A lane: where tasks of one job type wait for workers of one zone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One job type in one queue of one zone; no zone is the default one."""

    queue: str
    zone: str | None
    job_type: str
