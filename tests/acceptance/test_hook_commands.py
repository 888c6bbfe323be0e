"""`transship hook` and `/metrics` against a whole house, as a user has them."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from jobservice.cli.exit_codes import ExitCode
from tests.acceptance.house import House
from tests.fakes.receiver import Receiver
from tests.fakes.registry.server import FakeRegistry

TOKEN = "reads-metrics-and-nothing-else"
SECRET = "a secret to sign with"
LAYER_BYTES = 5 * 1024 * 1024


@pytest.fixture(scope="module")
def open_house() -> Iterator[House]:
    """A house whose hooks may reach this machine."""
    with tempfile.TemporaryDirectory(prefix="transship at ") as folder:
        environment = {
            "TRANSSHIP_HOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
            "TRANSSHIP_METRICS_TOKEN": TOKEN,
        }
        started = House(folder=Path(folder), environment=environment)
        started.start()
        yield started
        started.stop()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver(secret=SECRET) as opened:
        yield opened


async def run(house: House, *words: str, stdin: str = "") -> tuple[int, str, str]:
    ended = await asyncio.to_thread(house.run, *words, stdin=stdin)
    return ended.returncode, ended.stdout, ended.stderr


async def said(house: House, *words: str, stdin: str = "") -> str:
    code, out, err = await run(house, *words, stdin=stdin)
    assert code == ExitCode.OK, err
    return out


async def told(house: House, *words: str) -> Any:
    return json.loads(await said(house, *words, "--json"))


async def test_a_hook_that_may_not_lead_somewhere_is_told_the_setting(open_house: House) -> None:
    code, _, err = await run(open_house, "hook", "create", "inside", "--to", "http://[::1]:9/")
    assert code != ExitCode.OK
    assert "hooks may not go there: ::1 is a loopback address" in err
    assert "add its network to TRANSSHIP_HOOK_ALLOWED_NETWORKS" in err


async def test_a_hook_from_its_beginning_to_its_end(open_house: House, receiver: Receiver) -> None:
    house = open_house
    create = ("hook", "create", "ops", "--to", receiver.url, "--when", "failed", "--secret-stdin")
    assert "hook ops has id " in await said(house, *create, stdin=f"{SECRET}\n")
    shown = await told(house, "hook", "show", "ops")
    assert shown["targets"][0]["transship"] == {"secret": "*****"}
    assert shown["transship"]["statuses"] == ["failed"]
    assert receiver.url in await said(house, "hook", "list")
    (tried,) = await told(house, "hook", "test", "ops")
    assert (tried["status"], tried["response_code"]) == ("delivered", 200)
    assert receiver.problems == []
    again = await said(house, "hook", "redeliver", "ops", str(tried["id"]))
    assert "is sent again" in again
    await receiver.heard(lambda it: len(it.accepted) == 2)
    assert len(receiver.event_ids) == 1
    await said(house, "hook", "update", "ops", "--disable", "--per-task")
    changed = await told(house, "hook", "show", "ops")
    assert (changed["enabled"], changed["transship"]["per_task"]) == (False, True)
    receiver.answers = 410
    code, out, err = await run(house, "hook", "test", "ops")
    assert (code, "1 of 1 targets did not take the test" in err) == (ExitCode.FAILED, True)
    assert "answered 410" in out
    failed = await told(house, "hook", "deliveries", "ops", "--status", "failed")
    assert [one["response_code"] for one in failed] == [410]
    assert "removed" in await said(house, "hook", "delete", "ops")
    code, _, err = await run(house, "hook", "show", "ops")
    assert (code, "no hook named ops" in err) == (ExitCode.NOT_FOUND, True)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://169.254.169.254/latest", "link-local or metadata address"),
        ("http://[::1]:9/", "loopback address"),
    ],
)
async def test_a_hook_that_may_not_be_is_refused_with_a_sentence(
    open_house: House, address: str, why: str
) -> None:
    code, _, err = await run(open_house, "hook", "create", "bad", "--to", address)
    assert code == ExitCode.USAGE
    assert why in err
    assert "Traceback" not in err


async def test_a_copy_is_told_and_counted_to_the_byte(
    open_house: House, receiver: Receiver
) -> None:
    house = open_house
    create = ("hook", "create", "copies", "--to", receiver.url, "--on", "REPLICATION")
    await said(house, *create, "--secret-stdin", stdin=f"{SECRET}\n")
    async with FakeRegistry() as source:
        layers = (b"a" * LAYER_BYTES, b"b" * LAYER_BYTES)
        source.repository("apps/big").put_image("1.0", layers=layers)
        await said(house, "remote", "create", "big", "--url", source.url)
        words = ("--from", "big", "--repositories", "apps/big", "--namespace", "library")
        await said(house, "policy", "create", "big", *words)
        await said(house, "policy", "run", "big", "--watch")
        await receiver.heard(lambda it: bool(it.accepted))
    (message,) = receiver.accepted
    block = message.body["event_data"]["replication"]
    assert block["job_status"] == "Success"
    (artifact,) = block["successful_artifact"]
    assert artifact["references"] == ["1.0"]
    (execution,) = await told(house, "execution", "list")
    copied = (await told(house, "execution", "show", str(execution["id"])))["transship"]
    found = await metrics(house)
    assert found["transship_copied_bytes_total", "Local"] == copied["bytes_copied"]
    assert copied["bytes_copied"] >= 2 * LAYER_BYTES


async def metrics(house: House) -> dict[tuple[str, str], float]:
    """Samples by name and registry."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{house.url}/metrics", headers=headers) as answer,
    ):
        assert answer.status == 200
        text = await answer.text()
    return {
        (sample.name, sample.labels.get("registry", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_a_hook_of_a_project_is_kept_apart_from_the_installations(
    open_house: House, receiver: Receiver
) -> None:
    house, team = open_house, ("--project", "team")
    await said(house, "project", "create", "team")
    envelope = ("--to", receiver.url, "--format", "distribution")
    await said(house, "hook", "create", "ci", *envelope, *team)
    shown = await told(house, "hook", "show", "ci", *team)
    assert shown["targets"][0]["payload_format"] == "Distribution"
    assert shown["event_types"] == ["PUSH_ARTIFACT", "DELETE_ARTIFACT", "DELETE_TAG"]
    assert [one["name"] for one in await told(house, "hook", "list", *team)] == ["ci"]
    assert "ci" not in [one["name"] for one in await told(house, "hook", "list")]
    code, _, err = await run(house, "hook", "show", "ci")
    assert (code, "no hook named ci" in err) == (ExitCode.NOT_FOUND, True)
    await said(house, "hook", "update", "ci", "--disable", *team)
    assert not (await told(house, "hook", "show", "ci", *team))["enabled"]
    (tried,) = (await run(house, "hook", "test", "ci", *team, "--json"))[1:2]
    assert "TEST" in tried
    assert len(await told(house, "hook", "deliveries", "ci", *team)) == 1
    assert "removed" in await said(house, "hook", "delete", "ci", *team)
    assert await told(house, "hook", "list", *team) == []
