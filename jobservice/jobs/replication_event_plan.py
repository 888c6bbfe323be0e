"""Plan what changed in this registry, and nothing else.

A job type of its own: workers of a release that would copy everything leave it to others.
"""

from __future__ import annotations

from typing import ClassVar

from jobservice.jobs.replication_plan import ReplicationPlan

NAME = "replication_event_plan"


class ReplicationEventPlan(ReplicationPlan):
    """As ReplicationPlan; the snapshot's `only` says what it is limited to."""

    name: ClassVar[str] = NAME
