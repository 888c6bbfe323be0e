"""From what was counted to samples with a bounded number of labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jobservice.domain import counting
from jobservice.domain.counting import Key
from jobservice.domain.metric import JOB_TYPES_LIMIT, OTHER, REGISTRIES_LIMIT, TASK_BUCKETS

HOOK_JOB_TYPE = "hook_delivery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Cumulative counts by upper bound, `+Inf` last, and the sum."""

    buckets: tuple[tuple[str, float], ...]
    total: float


def of(name: str, counters: Mapping[Key, float]) -> dict[tuple[str, ...], float]:
    """Return a counter's values by labels; job types beyond the limit are told as `other`."""
    found: defaultdict[tuple[str, ...], float] = defaultdict(float)
    kept = _kept(labels[0] for known, labels in counters if known == name and labels)
    for (known, labels), value in counters.items():
        if known == name:
            first = () if not labels else (labels[0] if labels[0] in kept else OTHER, *labels[1:])
            found[first] += value
    return dict(found)


def copied(counters: Mapping[Key, float], names: Mapping[str, str]) -> dict[str, float]:
    """Return bytes by a registry's name: those that got most by name, the rest as `other`."""
    by_name: defaultdict[str, float] = defaultdict(float)
    for (known, labels), value in counters.items():
        if known == counting.COPIED:
            by_name[names.get(labels[0], OTHER)] += value
    ranked = sorted(by_name.items(), key=lambda item: (item[0] == OTHER, -item[1], item[0]))
    found: defaultdict[str, float] = defaultdict(float)
    for place, (name, value) in enumerate(ranked):
        found[name if place < REGISTRIES_LIMIT else OTHER] += value
    return dict(found)


def hooks(counters: Mapping[Key, float]) -> dict[str, float]:
    """Return tries to deliver hooks by outcome."""
    found = {
        labels[1]: value
        for (known, labels), value in counters.items()
        if known == counting.TRIES and labels[0] == HOOK_JOB_TYPE
    }
    return {("delivered" if name == "succeeded" else name): value for name, value in found.items()}


def durations(counters: Mapping[Key, float]) -> dict[tuple[str, ...], Histogram]:
    """Return the histogram of each job type and outcome."""
    sums = of(counting.SECONDS, counters)
    places = of(counting.BUCKET, counters)
    bounds = [*(str(bound) for bound in TASK_BUCKETS), "+Inf"]
    found = {}
    for labels, total in sums.items():
        reached = 0.0
        buckets = []
        for place, bound in enumerate(bounds):
            reached += places.get((*labels, str(place)), 0.0)
            buckets.append((bound, reached))
        found[labels] = Histogram(buckets=tuple(buckets), total=total)
    return found


def budget(per_second: float, ahead_seconds: float) -> float:
    """Return how many requests may be sent at once: a second's worth, less what is reserved."""
    return max(0.0, min(1.0, 1.0 - ahead_seconds)) * per_second


def _kept(job_types: Iterable[str]) -> frozenset[str]:
    return frozenset(sorted(set(job_types))[:JOB_TYPES_LIMIT])
