"""Every metric: name, kind, labels, and what it says; docs/metrics.md lists them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """Prometheus' kinds."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """`name` is the one that is queried, of a histogram without its suffixes."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


# Upper bounds of the buckets, in seconds.
TASK_BUCKETS: Final = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0)
REQUEST_BUCKETS: Final = (0.005, 0.01, 0.02, 0.1, 0.5, 2.5, 10.0)
# More values of a label than these are told together, as `other`.
REGISTRIES_LIMIT: Final = 100
SCHEDULES_LIMIT: Final = 500
JOB_TYPES_LIMIT: Final = 50
OTHER: Final = "other"

QUEUE_TASKS = Metric(
    name="transship_queue_tasks",
    kind=Kind.GAUGE,
    help="Unfinished tasks by job type and state.",
    labels=("job_type", "state"),
)
QUEUE_OLDEST = Metric(
    name="transship_queue_oldest_seconds",
    kind=Kind.GAUGE,
    help="How long the oldest task that could start waits, by job type.",
    labels=("job_type",),
)
TRIES = Metric(
    name="transship_task_tries_total",
    kind=Kind.COUNTER,
    help="Tries of tasks that ended, by job type and outcome; a try that is repeated is retrying.",
    labels=("job_type", "outcome"),
)
DURATION = Metric(
    name="transship_task_duration_seconds",
    kind=Kind.HISTOGRAM,
    help="How long tries of tasks took, from claim to end.",
    labels=("job_type", "outcome"),
)
COPIED = Metric(
    name="transship_copied_bytes_total",
    kind=Kind.COUNTER,
    help="Bytes of blobs that transfers copied, by the registry they went to.",
    labels=("registry",),
)
RESCUES = Metric(
    name="transship_task_rescues_total",
    kind=Kind.COUNTER,
    help="Tasks taken back from workers that died or fell silent.",
    labels=("job_type",),
)
LEASE_LOSSES = Metric(
    name="transship_lease_losses_total",
    kind=Kind.COUNTER,
    help="Tries whose worker found that the task was another one's; nothing was written.",
)
LEADER_CHANGES = Metric(
    name="transship_leader_changes_total",
    kind=Kind.COUNTER,
    help="How often another worker took over the maintenance loops.",
)
WORKERS = Metric(name="transship_workers", kind=Kind.GAUGE, help="Worker processes that are alive.")
SLOTS = Metric(
    name="transship_worker_slots",
    kind=Kind.GAUGE,
    help="Slots of all live workers, by queue.",
    labels=("queue",),
)
HOOK_DELIVERIES = Metric(
    name="transship_hook_deliveries_total",
    kind=Kind.COUNTER,
    help="Tries to deliver hooks: delivered, retrying, snoozed, failed for good, or stopped.",
    labels=("outcome",),
)
OUTBOX = Metric(
    name="transship_outbox_events",
    kind=Kind.GAUGE,
    help="Events that wait to be handed on to hooks and event-based policies.",
)
REGISTRY_LIMIT = Metric(
    name="transship_registry_concurrency_limit",
    kind=Kind.GAUGE,
    help="How many tasks may talk to a registry at once; absent without a limit.",
    labels=("registry",),
)
REGISTRY_RATE = Metric(
    name="transship_registry_request_rate_limit",
    kind=Kind.GAUGE,
    help="Requests a second that a registry may get; absent without a limit.",
    labels=("registry",),
)
REGISTRY_BUDGET = Metric(
    name="transship_registry_request_budget",
    kind=Kind.GAUGE,
    help="Requests that a registry with a rate limit may get at once; absent while Redis is away.",
    labels=("registry",),
)
REGISTRY_RUNNING = Metric(
    name="transship_registry_running_tasks",
    kind=Kind.GAUGE,
    help="Tasks that talk to a registry now, where it has a limit or was postponed.",
    labels=("registry",),
)
REGISTRY_POSTPONED = Metric(
    name="transship_registry_postponed_seconds",
    kind=Kind.GAUGE,
    help="For how much longer a registry asked to be left alone (429, Retry-After).",
    labels=("registry",),
)
SCHEDULE_SUCCESS = Metric(
    name="transship_schedule_last_success_timestamp_seconds",
    kind=Kind.GAUGE,
    help="When an execution of a schedule last succeeded; absent before the first.",
    labels=("schedule", "vendor_type", "vendor_id"),
)
SCHEDULE_OVERDUE = Metric(
    name="transship_schedule_overdue",
    kind=Kind.GAUGE,
    help="1 where a run of a schedule should have succeeded by now and has not.",
    labels=("schedule", "vendor_type", "vendor_id"),
)
SCHEDULE_LAG = Metric(
    name="transship_schedule_lag_seconds",
    kind=Kind.GAUGE,
    help="How late the schedule is that is due longest and was not fired; 0 when none is.",
)
ACTIONS = Metric(
    name="transship_registry_actions_total",
    kind=Kind.COUNTER,
    help="Manifests that clients of this API process pushed, pulled, deleted or untagged.",
    labels=("action",),
)
REQUESTS = Metric(
    name="transship_api_requests_total",
    kind=Kind.COUNTER,
    help="Requests that this API process answered, by route template.",
    labels=("method", "route", "status"),
)
REQUEST_DURATION = Metric(
    name="transship_api_request_duration_seconds",
    kind=Kind.HISTOGRAM,
    help="How long this API process took to answer, by route template.",
    labels=("method", "route"),
)
POOL = Metric(
    name="transship_database_pool_connections",
    kind=Kind.GAUGE,
    help="Connections of this API process to PostgreSQL: open, idle, and at most.",
    labels=("state",),
)
GATHERED = Metric(
    name="transship_metrics_up",
    kind=Kind.GAUGE,
    help="1 if PostgreSQL answered in time; at 0 what comes from it is missing.",
)
CERTIFICATE_END = Metric(
    name="transship_tls_certificate_end_timestamp_seconds",
    kind=Kind.GAUGE,
    help="When the TLS certificate that this API process serves with expires; absent without one.",
)
CERTIFICATE_REFUSED = Metric(
    name="transship_tls_certificate_refused",
    kind=Kind.GAUGE,
    help="1 while a new TLS certificate cannot be used and the one before it is served with.",
)
STORAGE_FREE = Metric(
    name="transship_storage_free_bytes",
    kind=Kind.GAUGE,
    help="What is free of the file system that this registry keeps blobs in; absent for a bucket.",
)
STORAGE_TOTAL = Metric(
    name="transship_storage_total_bytes",
    kind=Kind.GAUGE,
    help="How large the file system is that this registry keeps blobs in; absent for a bucket.",
)
RETIRED = Metric(
    name="transship_retention_total",
    kind=Kind.COUNTER,
    help="What retention deleted: artifacts, and tags alone; and what it was refused.",
    labels=("what",),
)
RETENTION_WAITING = Metric(
    name="transship_retention_waiting",
    kind=Kind.GAUGE,
    help="Runs of retention that wait to be approved.",
)
COLLECTED = Metric(
    name="transship_collected_total",
    kind=Kind.COUNTER,
    help="What collection took: rows of manifests, links and blobs, then objects of the storage.",
    labels=("kind",),
)
COLLECTED_BYTES = Metric(
    name="transship_collected_bytes_total",
    kind=Kind.COUNTER,
    help="Bytes of the blobs whose rows went, and of the objects that were deleted.",
    labels=("kind",),
)
COLLECTION_FAILURES = Metric(
    name="transship_collection_failures_total",
    kind=Kind.COUNTER,
    help="Deletions of objects that the storage refused; each is tried again.",
)
TOMBSTONES = Metric(
    name="transship_tombstones",
    kind=Kind.GAUGE,
    help="Objects without a row: waiting within their window, due, or failed before.",
    labels=("state",),
)
TOMBSTONES_BYTES = Metric(
    name="transship_tombstones_bytes",
    kind=Kind.GAUGE,
    help="Bytes of the objects without a row: waiting within their window, due, or failed before.",
    labels=("state",),
)

METRICS: Final = (
    QUEUE_TASKS, QUEUE_OLDEST, TRIES, DURATION, COPIED, RESCUES, LEASE_LOSSES, LEADER_CHANGES,
    WORKERS, SLOTS, HOOK_DELIVERIES, OUTBOX, REGISTRY_LIMIT, REGISTRY_RATE, REGISTRY_BUDGET,
    REGISTRY_RUNNING, REGISTRY_POSTPONED, SCHEDULE_SUCCESS, SCHEDULE_OVERDUE, SCHEDULE_LAG,
    ACTIONS, REQUESTS, REQUEST_DURATION, POOL, GATHERED, CERTIFICATE_END, CERTIFICATE_REFUSED,
    STORAGE_FREE, STORAGE_TOTAL, RETIRED, RETENTION_WAITING, COLLECTED, COLLECTED_BYTES,
    COLLECTION_FAILURES, TOMBSTONES, TOMBSTONES_BYTES,
)  # fmt: skip
