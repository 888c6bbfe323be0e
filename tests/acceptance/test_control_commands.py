"""Holding back, explaining, stopping and retrying from the command line."""

from __future__ import annotations

import asyncio
import json

import pytest

from jobservice.cli.exit_codes import ExitCode
from tests.acceptance.house import House
from tests.acceptance.test_commands import Shell, policy, source
from tests.fakes.registry.faults import Fault
from tests.fakes.registry.server import FakeRegistry

__all__ = ["source"]
SECONDS = 30


@pytest.fixture
def shell(house: House) -> Shell:
    return Shell(house)


async def test_a_paused_policy_waits_says_why_and_goes_on(
    shell: Shell, source: FakeRegistry
) -> None:
    await policy(shell, "held", source)
    policy_id = str((await shell.json("policy", "show", "held"))["id"])
    told = await shell.said(
        "queue", "pause", "--policy", policy_id, "--comment", "the disk is full"
    )
    assert told == f"policy {policy_id} is held back\n"
    execution_id = str((await shell.json("policy", "run", "held"))["id"])
    (task,) = await shell.json("task", "list", "--execution", execution_id)
    why = await shell.json("task", "explain", str(task["id"]))
    assert why[0]["code"] == "paused"
    assert "the disk is full" in await shell.said("task", "explain", str(task["id"]))
    assert "the disk is full" in await shell.said("queue", "list")
    await shell.said("queue", "resume", "--policy", policy_id)
    await shell.said("execution", "watch", execution_id)
    again = await shell.refused("queue", "resume", "--policy", policy_id)
    assert again[0] == ExitCode.NOT_FOUND


async def test_a_running_task_is_stopped_and_retried(shell: Shell, source: FakeRegistry) -> None:
    gate = asyncio.Event()
    fault = source.faults.add(Fault(method="GET", kind="blob", times=-1, hold=gate))
    await policy(shell, "halted", source)
    execution_id = str((await shell.json("policy", "run", "halted"))["id"])
    async with asyncio.timeout(SECONDS):
        await fault.reached.wait()
    words = ("task", "list", "--execution", execution_id, "--status", "running")
    async with asyncio.timeout(SECONDS):
        while len(running := await shell.json(*words, "--job-type", "replication_transfer")) < 2:
            pass
    for task in running:
        await shell.said("task", "stop", str(task["id"]))
    code, _ = await shell.refused("execution", "watch", execution_id)
    assert code == ExitCode.FAILED
    gate.set()
    retried = await shell.json("task", "retry", "--execution", execution_id, "--stopped")
    assert retried["retried"] == len(running)
    await shell.said("execution", "watch", execution_id)
    steps = await shell.said("task", "timeline", str(running[0]["id"]))
    shown = (await shell.said("task", "show", str(running[0]["id"]))).splitlines()
    assert shown[0] == f"id: {running[0]['id']}"
    assert shown[-1] == steps.splitlines()[-1]
    assert "id" in await shell.json("task", "show", str(running[0]["id"]))
    assert "retried by admin" in steps
    assert "transfer_started" in await shell.said("task", "log", str(running[0]["id"]))
    assert (await shell.json("execution", "retry", execution_id))["retried"] == 0


async def test_who_changed_what_is_told_and_purged(shell: Shell) -> None:
    await shell.said("queue", "pause", "--schedules", "--comment", "the clock is set")
    paused = await shell.json("queue", "list")
    (scheduler,) = [one for one in paused["queues"] if one["job_type"] == "SCHEDULER"]
    assert scheduler["transship"]["comment"] == "the clock is set"
    await shell.said("queue", "resume", "--schedules")
    await shell.refused("queue", "resume", "--schedules")
    told = await shell.json("audit", "list", "--type", "queue", "--operation", "resume")
    assert (told[0]["operation"], told[0]["resource_type"]) == ("resume", "queue")
    refused = await shell.json("audit", "list", "--refused", "--user", "admin")
    assert {one["operation_result"] for one in refused} == {False}
    assert "resume" in await shell.said("audit", "list")
    assert (await shell.refused("audit", "list", "--user", "a,b"))[0] == ExitCode.USAGE
    purge_id = (await shell.json("audit", "purge", "--days", "1", "--dry-run"))["id"]
    async with asyncio.timeout(SECONDS):
        while (await shell.json("audit", "purges"))[0]["job_status"] != "Success":
            pass
    assert (await shell.json("audit", "purges"))[0]["id"] == purge_id
    assert f"purge {purge_id + 1} has started" in await shell.said("audit", "purge", "--days", "9")


async def test_workers_and_queues_are_listed(shell: Shell) -> None:
    (worker,) = await shell.json("workers")
    assert worker["transship"]["zone"] == "default"
    assert "HOST" in await shell.said("workers")
    listed = await shell.json("queue", "list")
    assert {"replication_plan", "SCHEDULER"} <= {queue["job_type"] for queue in listed["queues"]}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("queue", "pause"), ExitCode.USAGE),
        (("queue", "pause", "replication_plan", "--schedules"), ExitCode.USAGE),
        (("queue", "pause", "nonsense"), ExitCode.NOT_FOUND),
        (("queue", "stop", "nonsense"), ExitCode.NOT_FOUND),
        (("task", "retry"), ExitCode.USAGE),
        (("task", "show", "4711"), ExitCode.NOT_FOUND),
        (("execution", "retry", "4711"), ExitCode.NOT_FOUND),
    ],
)
async def test_what_makes_no_sense_ends_with_its_code(
    shell: Shell, words: tuple[str, ...], code: ExitCode
) -> None:
    assert (await shell.refused(*words))[0] == code


def test_the_registry_is_made_read_only_and_open_again(house: House) -> None:
    try:
        assert house.run("admin", "read-only", "on").stdout == "this registry is read only\n"
        shown = house.run("admin", "read-only", "--json")
        assert json.loads(shown.stdout) == {"read_only": True}
    finally:
        opened = house.run("admin", "read-only", "off")
    assert (opened.returncode, opened.stdout) == (0, "this registry is open to changes\n")


async def test_a_project_is_shown_and_changed(shell: Shell) -> None:
    await shell.said("project", "create", "tidy")
    await shell.said("project", "update", "tidy", "--untagged-keep-days", "30", "--public")
    assert "transship.untagged_keep_days: 30\n" in await shell.said("project", "show", "tidy")
    await shell.said("project", "update", "tidy", "--private")
    shown = await shell.json("project", "show", "tidy")
    assert (shown["metadata"]["public"], shown["transship"]) == (
        "false",
        {"untagged_keep_days": 30},
    )
    await shell.said("project", "update", "tidy", "--untagged-keep-days", "0")
    assert (await shell.json("project", "show", "tidy"))["transship"] == {}
    assert (await shell.refused("project", "update", "tidy"))[0] == ExitCode.USAGE
    assert (await shell.refused("project", "show", "nowhere"))[0] == ExitCode.NOT_FOUND
