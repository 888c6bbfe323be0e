"""The text that Prometheus reads: counters of all workers, what stands in Postgres, this process.

What comes from Postgres is read at most every few seconds, whoever asks how often, and given up
after a moment: a scrape must not hang on what it is to warn of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from time import monotonic
from typing import Final

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from typing_extensions import override

from database.pool import Database, PoolUse
from jobservice.coordination import RateLimits
from jobservice.domain import counting, metric, samples, schedule
from jobservice.domain.metric import Metric
from jobservice.store import measuring
from jobservice.store.failures import POSTGRES_FAILURES
from jobservice.store.measuring import Measures
from jobservice.tls import ServerTls
from registry.admission import Admission
from registry.storage.driver import Room

KEPT_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 2.0
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})

log = structlog.get_logger(__name__)


class Metrics:
    """What one API process tells; nothing of it is in the library's global registry."""

    def __init__(
        self,
        database: Database,
        rates: RateLimits | None = None,
        *,
        server_tls: ServerTls | None = None,
        admission: Admission | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._database = database
        self._rates = rates
        self._server_tls = server_tls
        self._admission = admission
        self._patience_seconds = patience_seconds
        self._measures: Measures | None = None
        self._good_until = 0.0
        self._turn = asyncio.Lock()
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            metric.REQUESTS.name,
            metric.REQUESTS.help,
            metric.REQUESTS.labels,
            registry=self._registry,
        )
        self._actions = Counter(
            metric.ACTIONS.name,
            metric.ACTIONS.help,
            metric.ACTIONS.labels,
            registry=self._registry,
        )
        self._durations = Histogram(
            metric.REQUEST_DURATION.name,
            metric.REQUEST_DURATION.help,
            metric.REQUEST_DURATION.labels,
            buckets=metric.REQUEST_BUCKETS,
            registry=self._registry,
        )

    def acted(self, action: str) -> None:
        """Count what a client did to an artifact of this registry."""
        self._actions.labels(action).inc()

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; `route` is a template, never a path."""
        known = method if method in METHODS else metric.OTHER
        self._requests.labels(known, route, str(status)).inc()
        self._durations.labels(known, route).observe(seconds)

    async def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        measures = await self._measured()
        registry = CollectorRegistry(auto_describe=False)
        ahead = await self._ahead(measures)
        registry.register(_Gathered(measures, self._database.use(), ahead, self._server_tls))
        registry.register(_Storage(await self._room()))
        return generate_latest(registry) + generate_latest(self._registry)

    async def _ahead(self, measures: Measures | None) -> Mapping[int, float] | None:
        """Return how far ahead the request rates of registries are reserved; None if unknown."""
        if measures is None or self._rates is None:
            return None
        limited = [one.endpoint_id for one in measures.registries if one.requests_per_second]
        try:
            async with asyncio.timeout(self._patience_seconds):
                return await self._rates.ahead(limited)
        except TimeoutError:
            return None

    async def _room(self) -> Room | None:
        """Return how much room the storage has; None if it has no limit or does not answer."""
        try:
            async with asyncio.timeout(self._patience_seconds):
                return await self._admission.room() if self._admission else None
        except (OSError, TimeoutError) as error:
            log.warning("metrics_incomplete", reason=f"storage: {str(error) or 'too slow'}")
            return None

    async def _measured(self) -> Measures | None:
        """Return what Postgres knows, None if it does not answer in time."""
        async with self._turn:
            if monotonic() < self._good_until:
                return self._measures
            self._measures = None
            try:
                async with (
                    asyncio.timeout(self._patience_seconds),
                    self._database.connection() as connection,
                ):
                    self._measures = await measuring.measure(connection)
            except (*POSTGRES_FAILURES, TimeoutError) as error:
                log.warning("metrics_incomplete", reason=str(error) or "no answer in time")
            self._good_until = monotonic() + KEPT_SECONDS
            return self._measures


class _Gathered(Collector):
    """What was read from Postgres, as families."""

    def __init__(
        self,
        measures: Measures | None,
        pool: PoolUse,
        ahead: Mapping[int, float] | None,
        server_tls: ServerTls | None,
    ) -> None:
        self._measures = measures
        self._pool = pool
        self._ahead = ahead
        self._server_tls = server_tls

    @override
    def collect(self) -> Iterable[Family]:
        """Return the families."""
        pool = {"open": self._pool.open, "idle": self._pool.idle, "maximum": self._pool.maximum}
        yield _family(metric.POOL, {(state,): value for state, value in pool.items()})
        yield _family(metric.GATHERED, {(): float(self._measures is not None)})
        if self._server_tls is not None:
            yield from _of_certificate(self._server_tls)
        if self._measures is not None:
            yield from _of_tasks(self._measures)
            yield from _of_registries(self._measures, self._ahead)
            yield from _of_schedules(self._measures)
            yield from _of_workers(self._measures)
            yield from _of_collection(self._measures)
            yield from _of_retention(self._measures)


class _Storage(Collector):
    """What is known of the storage."""

    def __init__(self, room: Room | None) -> None:
        self._room = room

    @override
    def collect(self) -> Iterable[Family]:
        """Return the families."""
        if self._room is not None:
            yield _family(metric.STORAGE_FREE, {(): self._room.free_bytes})
            yield _family(metric.STORAGE_TOTAL, {(): self._room.total_bytes})


def _of_certificate(server_tls: ServerTls) -> Iterator[Family]:
    yield _family(metric.CERTIFICATE_END, {(): server_tls.certificate.ends_at.timestamp()})
    yield _family(metric.CERTIFICATE_REFUSED, {(): float(server_tls.is_refusing)})


def _of_tasks(measures: Measures) -> Iterator[Family]:
    counters = measures.counters
    kept = sorted({job_type for job_type, _ in measures.queues})[: metric.JOB_TYPES_LIMIT]
    yield _family(
        metric.QUEUE_TASKS,
        {key: size for key, size in measures.queues.items() if key[0] in kept},
    )
    oldest: dict[tuple[str, ...], float] = {
        (one,): seconds for one, seconds in measures.oldest.items() if one in kept
    }
    yield _family(metric.QUEUE_OLDEST, oldest)
    yield _family(metric.TRIES, samples.of(counting.TRIES, counters))
    yield _histogram(metric.DURATION, samples.durations(counters))
    yield _family(metric.RESCUES, samples.of(counting.RESCUES, counters))
    yield _family(
        metric.LEASE_LOSSES, {(): samples.of(counting.LEASE_LOSSES, counters).get((), 0.0)}
    )
    hooks = samples.hooks(counters)
    yield _family(metric.HOOK_DELIVERIES, {(name,): value for name, value in hooks.items()})
    yield _family(metric.OUTBOX, {(): measures.outbox})


def _of_registries(measures: Measures, ahead: Mapping[int, float] | None) -> Iterator[Family]:
    copied = samples.copied(measures.counters, measures.registry_names)
    yield _family(metric.COPIED, {(name,): value for name, value in copied.items()})
    known = [one for one in measures.registries if one.name]
    yield _family(
        metric.REGISTRY_LIMIT,
        {(one.name,): one.concurrency for one in known if one.concurrency is not None},
    )
    yield _family(
        metric.REGISTRY_RATE,
        {
            (one.name,): one.requests_per_second
            for one in known
            if one.requests_per_second is not None
        },
    )
    yield _family(
        metric.REGISTRY_BUDGET,
        {
            (one.name,): samples.budget(one.requests_per_second, ahead.get(one.endpoint_id, 0.0))
            for one in known
            if one.requests_per_second is not None and ahead is not None
        },
    )
    yield _family(metric.REGISTRY_RUNNING, {(one.name,): one.running for one in known})
    yield _family(metric.REGISTRY_POSTPONED, {(one.name,): one.postponed_seconds for one in known})


def _of_collection(measures: Measures) -> Iterator[Family]:
    done, buried = measures.collected, measures.buried
    kinds = ("manifests", "links", "blobs", "objects")
    yield _family(metric.COLLECTED, {(kind,): done.get(kind, 0) for kind in kinds})
    bytes_of = {"blobs": "blob_bytes", "objects": "object_bytes"}
    yield _family(
        metric.COLLECTED_BYTES, {(kind,): done.get(name, 0) for kind, name in bytes_of.items()}
    )
    yield _family(metric.COLLECTION_FAILURES, {(): done.get("failures", 0)})
    states = {"waiting": buried.after_window, "due": buried.now, "failed": buried.failed}
    yield _family(metric.TOMBSTONES, {(state,): one.objects for state, one in states.items()})
    yield _family(metric.TOMBSTONES_BYTES, {(state,): one.bytes for state, one in states.items()})


def _of_retention(measures: Measures) -> Iterator[Family]:
    counted = samples.of(counting.RETIRED, measures.counters)
    known = ((what,) for what in counting.RETIRED_NAMES)
    yield _family(metric.RETIRED, {labels: counted.get(labels, 0.0) for labels in known})
    yield _family(metric.RETENTION_WAITING, {(): measures.retention_waiting})


def _of_schedules(measures: Measures) -> Iterator[Family]:
    judged = [(one, schedule.is_overdue(one, now=measures.now)) for one in measures.schedules]
    # Those that are overdue come first: they must not be what is left out.
    judged.sort(key=lambda pair: (not pair[1], pair[0].id))
    told = [
        ((str(one.id), one.vendor.type, str(one.vendor.id)), one, overdue)
        for one, overdue in judged[: metric.SCHEDULES_LIMIT]
    ]
    yield _family(metric.SCHEDULE_OVERDUE, {labels: float(overdue) for labels, _, overdue in told})
    yield _family(
        metric.SCHEDULE_SUCCESS,
        {
            labels: one.last_success_at.timestamp()
            for labels, one, _ in told
            if one.last_success_at is not None
        },
    )
    yield _family(metric.SCHEDULE_LAG, {(): measures.schedule_lag})


def _of_workers(measures: Measures) -> Iterator[Family]:
    changes = samples.of(counting.LEADER_CHANGES, measures.counters)
    yield _family(metric.LEADER_CHANGES, {(): sum(changes.values())})
    yield _family(metric.WORKERS, {(): measures.workers})
    yield _family(metric.SLOTS, {(queue,): count for queue, count in measures.slots.items()})


def _family(told: Metric, values: Mapping[tuple[str, ...], float]) -> Family:
    made = CounterMetricFamily if told.kind is metric.Kind.COUNTER else GaugeMetricFamily
    family = made(told.name, told.help, labels=told.labels)
    for labels, value in values.items():
        family.add_metric(list(labels), float(value))
    return family


def _histogram(
    told: Metric, values: Mapping[tuple[str, ...], samples.Histogram]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(told.name, told.help, labels=told.labels)
    for labels, one in values.items():
        buckets: Sequence[tuple[str, float]] = one.buckets
        family.add_metric(list(labels), buckets, one.total)
    return family
