"""An idle installation: how soon a task runs that it gets, and what it costs while it has none."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import asyncpg

from bench import content
from bench.measure import CommandFailed
from bench.processes import children, command_line, cpu_seconds
from bench.rows import Row
from bench.service import Service

POSTS: Final = 40
IDLE_SECONDS: Final = 30
_CALM_SECONDS: Final = 5
_OURS: Final = frozenset({"api", "worker"})
# Nothing to copy: the plan runs, finds that, and is done.
_ROW: Final = Row(name="nothing", title="nothing", push=content.push_index, tag="no-such-tag")
_STARTED: Final = """
SELECT extract(epoch FROM started_at)::double precision FROM jobservice.tasks
WHERE execution_id = $1 AND is_plan
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """Shares of one core while nothing is to be done."""

    ours: float
    servers: float


async def pickup_seconds(service: Service, upstream: str) -> float:
    """Return the median time from an accepted POST to the running task, one POST at a time."""
    policy = service.policy("idle", _ROW, service.endpoint("idle", upstream), 0)
    connection = await asyncpg.connect(postgres_dsn(service))
    try:
        found = []
        for _ in range(POSTS):
            execution, accepted_at = service.start(policy)
            service.ended(execution)
            started_at: float = await connection.fetchval(_STARTED, execution)
            found.append(started_at - accepted_at)
    finally:
        await connection.close()
    return median(found)


def idle(service: Service) -> Idle:
    """Watch the processes for a while."""
    time.sleep(_CALM_SECONDS)
    before = _used(service)
    time.sleep(IDLE_SECONDS)
    after = _used(service)
    shares = {
        pid: (after[pid] - before[pid]) / IDLE_SECONDS for pid in after.keys() & before.keys()
    }
    ours = {pid for pid in shares if _is_ours(pid)}
    if len(ours) != len(_OURS):
        raise CommandFailed(f"{len(ours)} processes of ours lived through it, not {len(_OURS)}")
    return Idle(
        ours=sum(share for pid, share in shares.items() if pid in ours),
        servers=sum(share for pid, share in shares.items() if pid not in ours),
    )


def _used(service: Service) -> Mapping[int, float]:
    return {pid: cpu_seconds(pid) for pid in children(service.pid)}


def _is_ours(pid: int) -> bool:
    return command_line(pid)[-2] in _OURS


def postgres_dsn(service: Service) -> str:
    """Return where an installation's embedded Postgres is."""
    return _environment(service)["TRANSSHIP_POSTGRES_DSN"]


def storage_folder(service: Service) -> Path:
    """Return where an installation keeps its objects."""
    return Path(unquote(urlsplit(_environment(service)["TRANSSHIP_STORAGE"]).path))


def _environment(service: Service) -> Mapping[str, str]:
    """Return what the API was started with: where the embedded servers are."""
    api = next(pid for pid in children(service.pid) if command_line(pid)[-2] == "api")
    text = Path(f"/proc/{api}/environ").read_text()
    pairs: list[Any] = [line.split("=", 1) for line in text.split("\0") if "=" in line]
    return dict(pairs)
