"""How long a registry of ours took to answer, by its own clock: the histogram of its metrics."""

from __future__ import annotations

import http.client
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from bench.measure import CommandFailed
from bench.registry_servers import Subject

_METRIC: Final = "transship_api_request_duration_seconds"
_PREFIX: Final = "/v2/"


@dataclass(frozen=True, slots=True)
class Answers:
    """How many answers took at most so many seconds, by the histogram's bounds."""

    buckets: Counter[float] = field(default_factory=Counter)

    def __add__(self, other: Answers) -> Answers:
        """Take both together."""
        return Answers(self.buckets + other.buckets)

    def __sub__(self, other: Answers) -> Answers:
        """Leave out what was before."""
        return Answers(self.buckets - other.buckets)

    @property
    def count(self) -> int:
        """How many there were."""
        return self.buckets[float("inf")]

    def within(self, seconds: float) -> int:
        """Return how many took no longer; `seconds` is one of the histogram's bounds."""
        return self.buckets[seconds]

    def quantile_bound(self, quantile: float) -> float:
        """Return the smallest bound within which so many of all were answered."""
        return min(le for le, count in self.buckets.items() if count >= quantile * self.count)


def answers(subject: Subject, method: str) -> Answers:
    """Return what was answered so far to a method beneath /v2/; raise CommandFailed."""
    connection = http.client.HTTPConnection(subject.host, timeout=60)
    try:
        connection.request("GET", "/metrics", headers=subject.headers)
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise CommandFailed(f"/metrics answered {answer.status}: {text[:500]}")
    found: Counter[float] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = sample.labels
            if (
                sample.name == f"{_METRIC}_bucket"
                and labels["method"] == method
                and labels["route"].startswith(_PREFIX)
            ):
                found[float(labels["le"])] += int(sample.value)
    return Answers(found)
