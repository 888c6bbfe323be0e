"""The commands that talk to a server, as a user types them, and the codes they end with."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from jobservice.cli.exit_codes import ExitCode
from tests.acceptance.house import House
from tests.fakes.registry.authentication import Door
from tests.fakes.registry.faults import Fault
from tests.fakes.registry.server import FakeRegistry


class Shell:
    """Commands against one house, while this process serves the registries they speak of."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command, whatever comes of it."""
        return await asyncio.to_thread(self.house.run, *words, stdin=stdin)

    async def said(self, *words: str, stdin: str = "") -> str:
        """Return what a command that must succeed prints."""
        ended = await self.run(*words, stdin=stdin)
        assert ended.returncode == ExitCode.OK, ended.stderr
        return ended.stdout

    async def json(self, *words: str) -> Any:
        """Return what a command that must succeed gives to machines."""
        return json.loads(await self.said(*words, "--json"))

    async def refused(self, *words: str, stdin: str = "") -> tuple[int, str]:
        """Return the code and the sentence of a command that must fail without a traceback."""
        ended = await self.run(*words, stdin=stdin)
        assert "Traceback" not in ended.stderr
        return ended.returncode, ended.stderr


@pytest.fixture
def shell(house: House) -> Shell:
    return Shell(house)


@pytest.fixture
async def source(request: pytest.FixtureRequest) -> AsyncIterator[FakeRegistry]:
    """Two images that no other test has brought into the house."""
    async with FakeRegistry() as registry:
        for name in ("apps/web", "apps/db"):
            layer = f"{name} of {request.node.name}".encode()
            registry.repository(name).put_image("1.0", layers=(layer,))
        yield registry


async def policy(shell: Shell, name: str, source: FakeRegistry, *words: str) -> None:
    """Add a remote and a policy of that name, whose copies go to a namespace of their own."""
    await shell.said("remote", "create", name, "--url", source.url)
    await shell.said("policy", "create", name, "--from", name, "--namespace", name, *words)


async def test_a_remote_from_its_beginning_to_its_end(shell: Shell, source: FakeRegistry) -> None:
    assert "remote life has id " in await shell.said(
        "remote", "create", "life", "--url", source.url
    )
    [listed] = [row for row in await shell.json("remote", "list") if row["name"] == "life"]
    assert (listed["url"], listed["type"]) == (source.url, "docker-registry")
    assert source.url in await shell.said("remote", "list")
    assert f"url: {source.url}" in await shell.said("remote", "show", "life")
    assert (await shell.json("remote", "show", str(listed["id"])))["name"] == "life"
    assert "lets the server in" in await shell.said("remote", "ping", "life")
    assert "removed" in await shell.said("remote", "delete", "life")
    assert await shell.refused("remote", "show", "life") == (
        ExitCode.NOT_FOUND,
        f"transship: {shell.house.url} has no remote named life\n",
    )


async def test_a_remote_is_tried_with_the_password_from_standard_input(shell: Shell) -> None:
    door = Door(scheme="basic", username="robot", password="right", guards_ping=True)
    create = ("remote", "create", "locked", "--username", "robot", "--password-stdin", "--url")
    async with FakeRegistry(door=door) as registry:
        code, told = await shell.refused(*create, registry.url, stdin="wrong\n")
        assert (code, registry.url in told) == (ExitCode.USAGE, True)
        await shell.said(*create, registry.url, stdin="right\n")
        shown = await shell.json("remote", "show", "locked")
        door.password = "changed"
        code, told = await shell.refused("remote", "ping", "locked")
    assert shown["credential"]["access_secret"] == "*****"
    assert code != ExitCode.OK
    assert registry.url in told


async def test_a_username_without_a_password_is_refused_before_anything_happens(
    shell: Shell, source: FakeRegistry
) -> None:
    words = ("remote", "create", "half", "--url", source.url, "--username", "robot")
    code, told = await shell.refused(*words)
    assert (code, "--password-stdin" in told) == (ExitCode.USAGE, True)
    assert source.requests.count() == 0


async def test_a_policy_from_its_beginning_to_its_end(shell: Shell, source: FakeRegistry) -> None:
    await policy(shell, "daily", source, "--repositories", "apps/{web,db}", "--tags", "1.*")
    shown = await shell.json("policy", "show", "daily")
    assert shown["dest_namespace"] == "daily"
    assert [(f["type"], f["value"]) for f in shown["filters"]] == [
        ("name", "apps/{web,db}"),
        ("tag", "1.*"),
    ]
    assert "daily" in await shell.said("policy", "list")
    code, told = await shell.refused("remote", "delete", "daily")
    assert (code, "polic" in told) == (ExitCode.FAILED, True)
    await shell.said("policy", "delete", "daily")
    code, _ = await shell.refused("policy", "run", "daily")
    assert code == ExitCode.NOT_FOUND
    await shell.said("remote", "delete", "daily")


async def test_a_policy_is_changed_where_something_is_said(
    shell: Shell, source: FakeRegistry, tmp_path: Path
) -> None:
    words = ("--repositories", "apps/*", "--tags", "1.*", "--every", "6h", "--jitter", "30")
    await policy(shell, "changing", source, *words)
    before = await shell.json("policy", "show", "changing")
    changed = await shell.json(
        "policy", "update", "changing", "--tags", "2.*", "--priority", "2", "--time-zone", "UTC"
    )
    assert changed == await shell.json("policy", "show", "changing")
    schedule = before["transship"]["schedule"]
    assert schedule["jitter_seconds"] == 30
    assert changed | {"update_time": None} == before | {
        "update_time": None,
        "filters": [before["filters"][0], before["filters"][1] | {"value": "2.*"}],
        "transship": before["transship"] | {"priority": 2},
    }
    await shell.said(
        "policy",
        "update",
        "changing",
        "--manual",
        "--disable",
        "--from",
        "local",
        "--to",
        "changing",
    )
    manual = await shell.json("policy", "show", "changing")
    assert (manual["trigger"]["type"], manual["enabled"]) == ("manual", False)
    assert manual["dest_registry"]["name"] == "changing"
    schedules = await shell.json("schedule", "list")
    assert ("REPLICATION", before["id"]) not in {
        (one["vendor_type"], one["vendor_id"]) for one in schedules
    }
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(before))
    await shell.said("policy", "update", "changing", "--file", str(file))
    assert (await shell.json("policy", "show", "changing"))["trigger"] == before["trigger"]
    for refused in (("--to", "changing"), (), ("--file", str(file), "--disable")):
        code, _ = await shell.refused("policy", "update", "changing", *refused)
        assert code == ExitCode.USAGE


async def test_a_policy_from_a_file(shell: Shell, source: FakeRegistry, tmp_path: Path) -> None:
    await shell.said("remote", "create", "filed", "--url", source.url)
    remote = await shell.json("remote", "show", "filed")
    file = tmp_path / "policy.json"
    file.write_text(
        json.dumps({"src_registry": {"id": remote["id"]}, "trigger": {"type": "manual"}})
    )
    await shell.said("policy", "create", "filed", "--file", str(file))
    assert (await shell.json("policy", "show", "filed"))["src_registry"]["name"] == "filed"
    file.write_text("no json")
    code, told = await shell.refused("policy", "create", "other", "--file", str(file))
    assert (code, str(file) in told) == (ExitCode.USAGE, True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--from", "local"), "both local"),
        (("--from", "nobody-knows-it"), "no remote named nobody-knows-it"),
    ],
)
async def test_a_policy_that_cannot_be(shell: Shell, words: tuple[str, ...], told: str) -> None:
    code, said = await shell.refused("policy", "create", "never", *words)
    assert code in {ExitCode.USAGE, ExitCode.NOT_FOUND}
    assert told in said


async def test_an_execution_is_watched_until_it_succeeds(
    shell: Shell, source: FakeRegistry
) -> None:
    await policy(shell, "watched", source)
    ended = await shell.run("policy", "run", "watched", "--watch")
    assert ended.returncode == ExitCode.OK, ended.stderr
    assert "Succeed (2 total, 2 succeed)" in ended.stderr
    policy_id = (await shell.json("policy", "show", "watched"))["id"]
    [execution] = await shell.json("execution", "list", "--policy", str(policy_id))
    identity = str(execution["id"])
    assert "status: Succeed" in await shell.said("execution", "show", identity)
    tasks = await shell.json("execution", "tasks", identity)
    assert {task["status"] for task in tasks} == {"Succeed"}
    table = await shell.said("execution", "tasks", identity)
    assert "apps/web [1 item(s) in total]" in table
    log = await shell.said("execution", "log", identity, str(tasks[0]["id"]))
    assert "apps/" in log
    machine = await shell.json("execution", "log", identity, str(tasks[0]["id"]))
    assert machine["lines"] == log.rstrip("\n").splitlines()
    again = await shell.json("execution", "watch", identity)
    assert (again["status"], again["total"]) == ("Succeed", 2)


async def test_a_watch_tells_what_failed_and_ends_with_its_code(
    shell: Shell, source: FakeRegistry
) -> None:
    source.repository("apps/db").blobs.clear()
    await policy(shell, "failing", source)
    started = await shell.json("policy", "run", "failing")
    code, told = await shell.refused("execution", "watch", str(started["id"]))
    assert code == ExitCode.FAILED
    assert "apps/db" in told
    quiet = await shell.run("execution", "watch", str(started["id"]), "--json")
    assert quiet.returncode == ExitCode.FAILED
    assert json.loads(quiet.stdout)["failed"] == 1


async def test_an_execution_is_stopped_in_the_middle(shell: Shell, source: FakeRegistry) -> None:
    held = source.faults.add(Fault(method="GET", kind="blob", times=-1, hold=asyncio.Event()))
    await policy(shell, "stopped", source)
    started = await shell.json("policy", "run", "stopped")
    async with asyncio.timeout(30):
        await held.reached.wait()
    assert "asked to stop" in await shell.said("execution", "stop", str(started["id"]))
    code, told = await shell.refused("execution", "watch", str(started["id"]))
    assert (code, "Stopped" in told) == (ExitCode.FAILED, True)


@pytest.mark.parametrize("command", ["show", "watch", "stop", "tasks"])
async def test_an_execution_that_is_not_there(shell: Shell, command: str) -> None:
    code, told = await shell.refused("execution", command, "987654")
    assert (code, "987654" in told) == (ExitCode.NOT_FOUND, True)


async def test_a_server_that_is_not_there(shell: Shell) -> None:
    elsewhere = {"TRANSSHIP_URL": "http://127.0.0.1:1"}
    ended = await asyncio.to_thread(shell.house.run, "execution", "list", variables=elsewhere)
    assert ended.returncode == ExitCode.UNREACHABLE
    assert "127.0.0.1:1" in ended.stderr


async def test_a_policy_that_runs_by_itself(shell: Shell, source: FakeRegistry) -> None:
    said = ("--cron", "0 30 2 * * mon", "--time-zone", "Europe/Berlin", "--jitter", "60")
    await policy(shell, "by-itself", source, *said, "--skip-late")
    shown = await shell.json("policy", "show", "by-itself")
    assert shown["trigger"]["type"] == "scheduled"
    [schedule] = [
        one for one in await shell.json("schedule", "list") if one["vendor_id"] == shown["id"]
    ]
    ours = schedule["transship"]
    assert (ours["time_zone"], ours["jitter_seconds"], ours["misfire"]) == (
        "Europe/Berlin",
        60,
        "skip",
    )
    listed = await shell.said("schedule", "list")
    assert f"replication {shown['id']}" in listed
    assert "waiting" in listed
    one = await shell.said("schedule", "show", str(schedule["id"]))
    assert one.count("next run: ") == 5
    as_json = await shell.json("schedule", "show", str(schedule["id"]))
    assert (as_json["cron"], as_json["fires"]) == ("0 30 2 * * mon", [])
    await shell.said("policy", "delete", "by-itself")
    code, told = await shell.refused("schedule", "show", str(schedule["id"]))
    assert (code, "not found" in told) == (ExitCode.NOT_FOUND, True)


async def test_a_period_is_said_shortly(shell: Shell, source: FakeRegistry) -> None:
    await policy(shell, "shortly", source, "--every", "6h")
    shown = await shell.json("policy", "show", "shortly")
    assert shown["trigger"]["trigger_settings"]["cron"] == "0 0 */6 * * *"
    words = ("policy", "create", "p", "--from", "shortly", "--every", "7h")
    code, told = await shell.refused(*words)
    assert (code, "choose 5m" in told) == (ExitCode.USAGE, True)
    await shell.said("policy", "delete", "shortly")


async def test_schedules_are_paused_and_go_on(shell: Shell, source: FakeRegistry) -> None:
    await policy(shell, "paused", source, "--every", "1d")
    assert "are paused" in await shell.said("schedule", "pause", "--comment", "moving house")
    listed = await shell.said("schedule", "list")
    assert "schedules are paused by admin since " in listed
    assert "moving house" in listed
    assert await shell.json("schedule", "resume") == {"paused": False}
    assert "schedules are paused" not in await shell.said("schedule", "list")
    await shell.said("policy", "delete", "paused")


async def test_an_expression_is_tried_before_it_is_used(shell: Shell) -> None:
    shown = await shell.said("schedule", "preview", "0 30 2 * * mon", "--time-zone", "Asia/Tokyo")
    assert shown.splitlines()[0].split() == ["UTC", "Asia/Tokyo"]
    assert shown.count(" 02:30 JST") == 5
    code, told = await shell.refused("schedule", "preview", "@daily")
    assert (code, "'@daily' is a shorthand" in told) == (ExitCode.USAGE, True)


async def test_what_one_policy_writes_here_another_copies_on(
    shell: Shell, source: FakeRegistry
) -> None:
    async with FakeRegistry() as onward:
        await shell.said("remote", "create", "onward", "--url", onward.url)
        words = ("--to", "onward", "--repositories", "inward/**", "--flatten", "0", "--on-push")
        await shell.said("policy", "create", "onward", *words, "--deletions")
        shown = await shell.json("policy", "show", "onward")
        assert (shown["trigger"]["type"], shown["deletion"]) == ("event_based", True)
        await policy(shell, "inward", source)
        assert (await shell.run("policy", "run", "inward", "--watch")).returncode == ExitCode.OK
        wanted = {"inward/web": {"1.0"}, "inward/db": {"1.0"}}
        async with asyncio.timeout(60):
            # The fake has no signal for a tag.
            while {name: set(one.tags) for name, one in onward.repositories.items()} != wanted:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        found = await shell.json("execution", "list", "--policy", str(shown["id"]))
        for execution in found:
            assert execution["trigger"] == "event_based"
            watched = await shell.run("execution", "watch", str(execution["id"]))
            assert watched.returncode == ExitCode.OK, watched.stderr
    code, told = await shell.refused("policy", "create", "p", "--on-push", "--every", "6h")
    assert (code, "--on-push starts by itself" in told) == (ExitCode.USAGE, True)
