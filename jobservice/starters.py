"""What the schedules of each vendor type start: one line each."""

from __future__ import annotations

from collections.abc import Mapping

from jobservice import policy_starts
from jobservice.collections import COLLECTIONS
from jobservice.domain.retention import VENDOR_TYPE
from jobservice.maintenance.scheduler import Starter
from jobservice.purges import PURGES
from jobservice.retention_starts import ScheduledRetention


def build() -> Mapping[str, Starter]:
    """Return a starter for every vendor type that can have a schedule."""
    return {
        policy_starts.VENDOR_TYPE: policy_starts.ScheduledPolicies(),
        PURGES.vendor_type: PURGES,
        VENDOR_TYPE: ScheduledRetention(),
        COLLECTIONS.vendor_type: COLLECTIONS,
    }
