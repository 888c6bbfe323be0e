"""A worker that dies, or freezes, in the middle of copying real content."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from jobservice.domain.execution import ExecutionStatus
from tests.fakes.registry.content import Repository
from tests.fakes.registry.faults import Fault
from tests.fakes.registry.server import FakeRegistry
from tests.integration.jobservice.conftest import until
from tests.integration.jobservice.test_replication import House, house

__all__ = ["house"]

ROOT = Path(__file__).parents[3]
BEATEN = """
SELECT heartbeat_at > $2::timestamptz + interval '1 second' FROM jobservice.workers WHERE pid = $1
"""
LAYER = bytes(range(256)) * 16_384  # 4 MiB


@contextlib.contextmanager
def worker_process(house: House, storage: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker to be killed."""
    command = [sys.executable, "-m", "tests.fakes.copying_worker"]
    with subprocess.Popen([*command, house.dsn, house.valkey_url, storage], cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def stuck_in_the_middle(source: FakeRegistry) -> Fault:
    """Make the source send the first half of two blobs, and then nothing."""
    hold = Fault(method="GET", kind="blob", drip_bytes=64 * 1024, hold=asyncio.Event(), times=2)
    return source.faults.add(hold)


def assert_whole(copied: Repository, original: Repository) -> None:
    assert copied.tags == original.tags
    assert copied.blobs == original.blobs
    assert {d: m.body for d, m in copied.manifests.items()} == {
        d: m.body for d, m in original.manifests.items()
    }


def tags_written(destination: FakeRegistry) -> int:
    seen = destination.requests.seen
    return sum(method == "PUT" and path.endswith("/manifests/1") for method, _, path in seen)


async def test_a_copy_whose_worker_is_killed_is_finished_by_another_once(
    house: House, tmp_path: Path
) -> None:
    original = house.source.repository("app")
    original.put_image("1", layers=(LAYER, b"small"))
    held = stuck_in_the_middle(house.source)
    with worker_process(house, tmp_path) as doomed:
        execution_id = await house.start(await house.snapshot())
        async with asyncio.timeout(30):
            await held.reached.wait()
        doomed.kill()
        doomed.wait()
    assert house.destination.repository("app").tags == {}
    assert held.hold is not None
    held.hold.set()
    with worker_process(house, tmp_path):
        execution = await house.jobs.ended(execution_id, seconds=30)
    assert (execution.status, execution.total) == (ExecutionStatus.SUCCEEDED, 1)
    (task,) = await house.jobs.tasks(execution_id)
    assert (task.attempt, task.rescues) == (1, 1)
    assert_whole(house.destination.repository("app"), original)
    assert tags_written(house.destination) == 1


async def wake(house: House, frozen: subprocess.Popen[bytes]) -> None:
    """Let a frozen worker go on, and wait until it has beaten twice."""
    woken_at = await house.jobs.one("SELECT clock_timestamp()")
    frozen.send_signal(signal.SIGCONT)

    async def has_beaten_twice() -> bool:
        return bool(await house.jobs.one(BEATEN, frozen.pid, woken_at))

    await until(has_beaten_twice)


async def test_a_copier_that_was_frozen_past_its_lease_writes_no_tag(
    house: House, tmp_path: Path
) -> None:
    original = house.source.repository("app")
    original.put_image("1", layers=(LAYER, b"small"))
    held = stuck_in_the_middle(house.source)
    assert held.hold is not None
    with worker_process(house, tmp_path) as frozen:
        execution_id = await house.start(await house.snapshot())
        async with asyncio.timeout(30):
            await held.reached.wait()
        frozen.send_signal(signal.SIGSTOP)
        held.times = 0
        with worker_process(house, tmp_path):
            execution = await house.jobs.ended(execution_id, seconds=30)
            assert execution.status is ExecutionStatus.SUCCEEDED
        written = tags_written(house.destination)
        held.hold.set()
        await wake(house, frozen)
    (task,) = await house.jobs.tasks(execution_id)
    assert (task.attempt, task.rescues) == (1, 1)
    assert_whole(house.destination.repository("app"), original)
    assert (written, tags_written(house.destination)) == (1, 1)


async def test_a_copier_that_was_frozen_while_it_waited_for_another_try_sends_none(
    house: House, tmp_path: Path
) -> None:
    original = house.source.repository("app")
    original.put_image("1", layers=(b"small",))
    later = Fault(method="PUT", kind="manifest", status=429, headers={"Retry-After": "2"})
    house.destination.faults.add(later)
    with worker_process(house, tmp_path) as frozen:
        execution_id = await house.start(await house.snapshot())
        async with asyncio.timeout(30):
            await later.reached.wait()
        frozen.send_signal(signal.SIGSTOP)
        with worker_process(house, tmp_path):
            execution = await house.jobs.ended(execution_id, seconds=30)
            assert execution.status is ExecutionStatus.SUCCEEDED
        refused_and_written = tags_written(house.destination)
        await wake(house, frozen)
    (task,) = await house.jobs.tasks(execution_id)
    assert (task.attempt, task.rescues) == (1, 1)
    assert_whole(house.destination.repository("app"), original)
    assert (refused_and_written, tags_written(house.destination)) == (2, 2)
