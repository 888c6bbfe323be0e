"""What the ends of tries add to the counters."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from jobservice.domain.metric import TASK_BUCKETS
from jobservice.domain.retention import VENDOR_TYPE as RETENTION
from jobservice.domain.settlement import Settlement
from jobservice.domain.task import TaskStatus

TRIES: Final = "tries"
SECONDS: Final = "seconds"
BUCKET: Final = "bucket"
COPIED: Final = "copied"
RESCUES: Final = "rescues"
LEASE_LOSSES: Final = "lease_losses"
LEADER_CHANGES: Final = "leader_changes"
RETIRED: Final = "retired"
RETIRED_NAMES: Final = {"artifact": "deleted", "tag": "untagged", "refused": "refused"}
# What a try is called that gives its task back.
SNOOZED: Final = "snoozed"

# A counter's name and its labels.
Key: TypeAlias = tuple[str, tuple[str, ...]]


def counts(settled: Iterable[Settlement], *, lost: int = 0) -> Mapping[Key, float]:
    """Return what to add; `lost` tries found their task to be another worker's."""
    found: defaultdict[Key, float] = defaultdict(float)
    for one in settled:
        labels = (one.task.job_type, outcome(one.status))
        found[TRIES, labels] += 1
        place = str(bisect_left(TASK_BUCKETS, one.duration_seconds))
        found[BUCKET, (*labels, place)] += 1
        found[SECONDS, labels] += one.duration_seconds
        if one.bytes_copied > 0:
            found[COPIED, (_destination(one.task.snapshot),)] += one.bytes_copied
        for what, count in _retired(one):
            found[RETIRED, (what,)] += count
    if lost:
        found[LEASE_LOSSES, ()] += lost
    return found


def _retired(one: Settlement) -> Iterator[tuple[str, int]]:
    """Yield what a task of retention took, and what would not go; a dry run takes nothing."""
    result = one.result or {}
    if one.task.job_type == RETENTION and result and not result["dry_run"]:
        for what, name in RETIRED_NAMES.items():
            if result[name]:
                yield what, result[name]


def outcome(status: TaskStatus) -> str:
    """Return how a try ended."""
    return SNOOZED if status is TaskStatus.PENDING else status.value


def _destination(snapshot: Mapping[str, Any]) -> str:
    """Return the id of the registry that was written to, empty where the snapshot names none."""
    destination = snapshot.get("destination")
    return str(destination.get("endpoint_id", "")) if isinstance(destination, dict) else ""
