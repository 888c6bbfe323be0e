"""Retention in the house as it runs, by the commands that a person types."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from protocol import media_types
from tests.acceptance import house as acceptance
from tests.acceptance.house import PASSWORD, Api, House
from tests.acceptance.test_schedules import connect
from tests.integration.jobservice.retention_house import artifact

LOGIN = {"Authorization": aiohttp.encode_basic_auth("admin", PASSWORD)}
DUE_NOW = """
UPDATE jobservice.schedules SET next_fire_time = now(), next_fire_at = now()
WHERE vendor_type = 'RETENTION' AND vendor_id = $1
"""
POLICY = """
rules:
  - action: retain
    template: latestPushedK
    params: {latestPushedK: 1}
    tag_selectors: [{kind: doublestar, decoration: matches, pattern: "**"}]
    scope_selectors: {repository: [{kind: doublestar, decoration: repoMatches, pattern: "**"}]}
"""
OWN = """
transship:
  scope: tag
  rules:
    - action: delete
      tags: [{kind: doublestar, decoration: matches, pattern: 2024-01-01}]
"""


async def push(house: House, session: aiohttp.ClientSession, repository: str, tag: str) -> None:
    pushed = artifact(f"{repository}:{tag}")
    async with session.put(
        f"{house.url}/v2/{repository}/manifests/{tag}",
        data=pushed.body,
        headers={**LOGIN, "Content-Type": media_types.OCI_INDEX},
    ) as answer:
        assert answer.status == 201, await answer.text()


async def tags(house: House, session: aiohttp.ClientSession, repository: str) -> list[str]:
    url = f"{house.url}/v2/{repository}/tags/list"
    async with session.get(url, headers=LOGIN) as answer:
        found: list[str] = (await answer.json())["tags"]
        return found


async def until(look: Callable[[], Awaitable[Any]]) -> Any:
    """Return what is there as soon as anything is."""
    async with asyncio.timeout(acceptance.RUN_SECONDS):
        while not (found := await look()):  # noqa: ASYNC110 - the API has no event
            await asyncio.sleep(0.05)
    return found


async def make_due(house: House, policy: int) -> None:
    connection = await connect(house)
    try:
        await connection.execute(DUE_NOW, policy)
        await connection.execute("SELECT pg_notify('jobservice_schedules', '')")
    finally:
        await connection.close()


async def test_a_run_that_is_due_asks_deletes_what_is_approved_and_gives_it_back(
    house: House, api: Api, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    await api.post("/projects", {"project_name": "nightly"})
    for tag in ("1.0", "1.1", "1.2"):
        await push(house, session, "nightly/app", tag)
    file = tmp_path / "retention.yaml"
    file.write_text(POLICY)
    seen = house.run("retention", "preview", "nightly", "--file", str(file))
    assert seen.returncode == 0, seen.stderr
    assert "nightly/app: 2 of 3 would go" in seen.stdout
    assert "goes: no rule keeps it" in seen.stdout
    assert "would wait to be approved: deletes 2 of 3 artifacts" in seen.stdout
    saved = house.run("retention", "set", "nightly", str(file), "--every", "1d", "--json")
    assert saved.returncode == 0, saved.stderr
    policy = json.loads(saved.stdout)["id"]
    await make_due(house, policy)

    async def waiting() -> Any:
        runs = await api.get(f"/retentions/{policy}/executions")
        return [one for one in runs if one["transship"]["pending_approval"]]

    (run,) = await until(waiting)
    assert (run["status"], run["trigger"], run["transship"]["reasons"]) == (
        "Pending",
        "SCHEDULE",
        ["deletes 2 of 3 artifacts, more than 50 %"],
    )
    assert await tags(house, session, "nightly/app") == ["1.0", "1.1", "1.2"]
    approved = house.run("retention", "approve", "nightly")
    assert approved.stdout == f"execution {run['id']} is approved\n", approved.stderr
    ended = house.run("retention", "watch", "nightly")
    assert ended.returncode == 0, ended.stderr
    assert "2 of 3 deleted" in ended.stderr
    assert await tags(house, session, "nightly/app") == ["1.2"]
    log = house.run("retention", "log", "nightly", "--repository", "app").stdout
    assert log.count("DELETED") == 2
    assert "SCHEDULE" in house.run("retention", "history", "nightly").stdout
    back = house.run("gc", "undelete", "nightly/app:1.0")
    assert back.returncode == 0, back.stderr
    assert await tags(house, session, "nightly/app") == ["1.0", "1.2"]


async def test_a_command_says_what_is_not_there(house: House, api: Api, tmp_path: Path) -> None:
    await api.post("/projects", {"project_name": "bare"})
    for command in ("show", "history", "watch", "run", "delete", "approve"):
        ended = house.run("retention", command, "bare")
        assert ended.returncode == 5, (command, ended.stderr)
        assert "project bare has no retention policy" in ended.stderr
    file = tmp_path / "odd.yaml"
    file.write_text("rulez: []\n")
    odd = house.run("retention", "set", "bare", str(file))
    assert (odd.returncode, "rulez is not known" in odd.stderr) == (2, True)
    file.write_text("rules: [{action: delete}]\n")
    refused = house.run("retention", "set", "bare", str(file))
    assert refused.returncode == 2
    assert "rules[0].action" in refused.stderr
    file.write_text(POLICY)
    assert house.run("retention", "set", "bare", str(file)).returncode == 0
    shown = house.run("retention", "show", "bare").stdout
    assert '"template": "latestPushedK"' in shown
    assert "bare" in house.run("retention", "list").stdout
    ran = house.run("retention", "run", "bare", "--dry-run", "--watch")
    assert ran.returncode == 0, ran.stderr
    assert "0 of 0 repositories are covered by a rule" in ran.stderr
    assert house.run("retention", "delete", "bare").returncode == 0


async def test_a_file_takes_the_place_of_everything_that_was_said_before(
    house: House, api: Api, tmp_path: Path
) -> None:
    await api.post("/projects", {"project_name": "anew"})
    file = tmp_path / "retention.yaml"
    file.write_text(OWN)
    assert house.run("retention", "set", "anew", str(file)).returncode == 0
    file.write_text(POLICY)
    saved = house.run("retention", "set", "anew", str(file), "--json")
    assert saved.returncode == 0, saved.stderr
    policy = json.loads(saved.stdout)
    assert [rule["template"] for rule in policy["rules"]] == ["latestPushedK"]
    assert (policy["transship"]["rules"], policy["transship"]["scope"]) == ([], "digest")
    missing = house.run("retention", "set", "anew", str(tmp_path / "nothing.yaml"))
    assert missing.returncode == 2
    assert "nothing.yaml cannot be read: No such file" in missing.stderr
