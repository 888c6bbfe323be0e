"""What the schedules of each vendor type start: one line each."""

from __future__ import annotations

from collections.abc import Mapping

from jobservice import policy_starts, purges
from jobservice.domain import purge
from jobservice.maintenance.scheduler import Starter


def build() -> Mapping[str, Starter]:
    """Return a starter for every vendor type that can have a schedule."""
    return {
        policy_starts.VENDOR_TYPE: policy_starts.ScheduledPolicies(),
        purge.VENDOR_TYPE: purges.ScheduledPurges(),
    }
