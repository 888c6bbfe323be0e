"""Workers, slots and queues in Harbor's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jobservice.api.models import jobservice as models
from jobservice.domain import zone as zones
from jobservice.domain.pause import Pause
from jobservice.errors import NotFound
from jobservice.queues import Queues
from jobservice.store.queues import Queue
from jobservice.store.workers import Slot, Worker

SCHEDULER = "SCHEDULER"
ID_DIGITS = 18


def task_id(job_id: str) -> int:
    """Read a job's id, which is that of a task; raise NotFound."""
    if not (job_id.isascii() and job_id.isdecimal() and len(job_id) <= ID_DIGITS):
        raise NotFound("task", job_id)
    return int(job_id)


def pool(worker: Worker) -> models.WorkerPool:
    """Show a worker process."""
    return models.WorkerPool(
        pid=worker.pid,
        worker_pool_id=str(worker.id),
        start_at=worker.started_at,
        heartbeat_at=worker.heartbeat_at,
        concurrency=worker.concurrency,
        host=worker.host,
        transship=models.TransshipPool(
            version=worker.version,
            zone=worker.zone or zones.DEFAULT,
            job_types=list(worker.job_types),
            slots=dict(worker.slots),
            running=worker.running,
        ),
    )


def slots(worker: Worker, running: Sequence[Slot]) -> Iterator[models.Worker]:
    """Show the slots of a worker process: those in use, then the free ones."""
    busy = [slot for slot in running if slot.worker_id == worker.id]
    for number in range(max(worker.concurrency, len(busy))):
        slot = busy[number] if number < len(busy) else None
        yield models.Worker(
            id=f"{worker.id}-{number + 1}",
            pool_id=str(worker.id),
            job_name=slot.job_type if slot else "",
            job_id=str(slot.task_id) if slot else "",
            start_at=slot.started_at if slot else None,
            check_in="",
        )


def queues(found: Queues) -> Iterator[models.JobQueue]:
    """Show what waits by job type, and Harbor's queue of schedules."""
    for queue in found.queues:
        yield _queue(queue, found.pause_of(queue.job_type))
    schedules = Queue(job_type=SCHEDULER, count=0, latency_seconds=0)
    yield _queue(schedules, found.pause_of_schedules())


def _queue(queue: Queue, pause: Pause | None) -> models.JobQueue:
    return models.JobQueue(
        job_type=queue.job_type,
        count=queue.count,
        latency=queue.latency_seconds,
        paused=pause is not None,
        transship=models.TransshipQueue(
            paused_by=pause.paused_by, paused_at=pause.paused_at, comment=pause.comment
        )
        if pause
        else None,
    )
