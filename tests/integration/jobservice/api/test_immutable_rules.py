"""Immutable tag rules through the API."""

from __future__ import annotations

from typing import Any

import pytest

from access.identity import SYSTEM
from database.pool import Database
from registry.metadata import immutable_rules
from registry.service import Registry
from tests.integration.jobservice import images
from tests.integration.jobservice.api.caller import Answer, Caller

PATH = "/projects/library/immutabletagrules"
WARNING = '299 transship "ignored, not known here: {}"'


def selector(pattern: str, decoration: str = "matches") -> dict[str, str]:
    return {"kind": "doublestar", "decoration": decoration, "pattern": pattern}


def rule(tags: str = "v*", repositories: str = "**", **fields: Any) -> dict[str, Any]:
    return {
        "priority": 0,
        "disabled": False,
        "action": "immutable",
        "template": "immutable_template",
        "tag_selectors": [selector(tags)],
        "scope_selectors": {"repository": [selector(repositories, "repoMatches")]},
        **fields,
    }


async def made(admin: Caller, body: dict[str, Any]) -> int:
    answer = await admin.post(PATH, body)
    assert answer.status == 201, answer.text
    return int(answer.headers["Location"].rpartition("/")[2])


async def test_a_rule_is_made_shown_changed_and_removed(admin: Caller) -> None:
    number = await made(admin, rule("v*", "app/**", priority=7))
    shown = (await admin.get(PATH)).json
    assert shown == [rule("v*", "app/**", priority=7, id=number)]
    changed = rule("release-*", "**", id=number)
    assert (await admin.put(f"{PATH}/{number}", changed)).status == 200
    answer = await admin.get(PATH)
    assert (answer.json, answer.headers["X-Total-Count"]) == ([changed], "1")
    assert (await admin.delete(f"{PATH}/{number}")).status == 200
    assert (await admin.get(PATH)).json == []
    assert (await admin.delete(f"{PATH}/{number}")).status == 404


async def test_what_is_read_and_written_back_changes_nothing(admin: Caller) -> None:
    number = await made(admin, rule(tag_selectors=[selector("v*", "excludes")], disabled=True))
    (shown,) = (await admin.get(PATH)).json
    assert shown["disabled"] is True
    assert (await admin.put(f"{PATH}/{number}", shown)).status == 200
    assert (await admin.get(PATH)).json == [shown]


async def test_a_rule_tells_what_it_takes_and_one_that_takes_nothing_is_seen(
    admin: Caller, local_registry: Registry
) -> None:
    for repository in ("library/app", "library/tool"):
        await local_registry.prepare(repository)
        for tag in ("v1", "v2", "latest"):
            await images.push(local_registry.repository(repository, SYSTEM), tag, b"layer")
    for rule_, tags, repositories in (
        (rule("v*"), 4, 2),
        (rule("v*", "ap"), 0, 0),
        (rule("relaese", "app", disabled=True), 0, 1),
        (rule("late*", "app", disabled=True), 1, 1),
    ):
        number = await made(admin, rule_)
        assert (await admin.get(f"{PATH}/{number}/reach")).json == {
            "tags": tags,
            "repositories": repositories,
            "repositories_in_all": 2,
        }
    assert (await admin.get(f"{PATH}/4711/reach")).status == 404


async def test_a_project_is_meant_by_its_id_as_well(admin: Caller) -> None:
    key = (await admin.get("/projects/library")).json["project_id"]
    answer = await admin.post(f"/projects/{key}/immutabletagrules", rule())
    assert answer.status == 201
    assert len((await admin.get(PATH)).json) == 1
    by_name = {"X-Is-Resource-Name": "true"}
    missing = await admin.get(f"/projects/{key}/immutabletagrules", headers=by_name)
    assert missing.status == 404


async def test_a_change_of_disabled_changes_nothing_else_and_says_so(admin: Caller) -> None:
    number = await made(admin, rule("v*"))
    switched = rule("other", id=number, disabled=True)
    answer = await admin.put(f"{PATH}/{number}", switched)
    assert answer.status == 200
    assert answer.headers["Warning"] == WARNING.format("tag_selectors")
    assert (await admin.get(PATH)).json == [rule("v*", id=number, disabled=True)]
    bare = await admin.put(f"{PATH}/{number}", {"id": number, "disabled": False})
    assert (bare.status, "Warning" in bare.headers) == (200, False)
    assert (await admin.get(PATH)).json == [rule("v*", id=number)]


async def test_only_the_first_selectors_count_and_the_others_are_named(admin: Caller) -> None:
    repositories = [selector("**", "repoMatches"), selector("app", "repoMatches")]
    body = rule(
        tag_selectors=[{**selector("v*"), "extras": '{"untagged":true}'}, selector("x")],
        scope_selectors={"repository": repositories, "namespace": [selector("n")]},
        params={"k": {}},
    )
    body["scope_selectors"]["repository"][0]["typo"] = 1
    answer = await admin.post(PATH, body)
    assert answer.status == 201
    warning = answer.headers["Warning"]
    for name in (
        "tag_selectors[1]",
        "tag_selectors[0].extras",
        "scope_selectors.repository[1]",
        "scope_selectors.namespace",
        "params.k",
        "scope_selectors.repository[0].typo",
    ):
        assert name in warning
    (shown,) = (await admin.get(PATH)).json
    assert shown["tag_selectors"] == [selector("v*")]
    assert shown["scope_selectors"] == {"repository": [selector("**", "repoMatches")]}


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({"action": "retain"}, ["action: 'retain'"]),
        ({"template": "always"}, ["template: 'always'"]),
        ({"tag_selectors": []}, ["tag_selectors: is missing"]),
        ({"scope_selectors": {}}, ["scope_selectors.repository: is missing"]),
        ({"scope_selectors": {"repository": []}}, ["scope_selectors.repository: is missing"]),
        ({"tag_selectors": [selector("**", "excludes")]}, ["excluding ** the rule takes nothing"]),
        ({"priority": 2**31}, ["priority"]),
        (
            {
                "tag_selectors": [{"kind": "label", "decoration": "repoMatches", "pattern": ""}],
                "scope_selectors": {"repository": [selector("a[", "repoMatches")]},
            },
            [
                "tag_selectors.0.kind: 'label'",
                "tag_selectors.0.decoration: 'repoMatches'",
                "tag_selectors.0.pattern: is missing",
                "scope_selectors.repository.0.pattern",
            ],
        ),
    ],
)
async def test_a_rule_that_cannot_be_is_refused_with_everything_that_is_wrong(
    admin: Caller, fields: dict[str, Any], parts: list[str]
) -> None:
    number = await made(admin, rule("standing"))
    for answer in (
        await admin.post(PATH, rule(**fields)),
        await admin.put(f"{PATH}/{number}", rule(id=number, **fields)),
    ):
        assert answer.status == 400
        assert len(answer.json["errors"]) == len(parts)
        assert [part for part in parts if part not in answer.messages] == []


async def test_a_rule_is_there_once(admin: Caller) -> None:
    await made(admin, rule("v*"))
    other = await made(admin, rule("x*"))
    again = await admin.post(PATH, rule("v*", priority=5, disabled=True))
    assert (again.status, again.code) == (409, "CONFLICT")
    assert "tags matching v* in repositories matching **" in again.messages
    same = await admin.put(f"{PATH}/{other}", rule("v*", id=other))
    assert (same.status, same.code) == (409, "CONFLICT")


async def test_the_id_in_a_body_is_that_of_the_path(admin: Caller) -> None:
    number = await made(admin, rule())
    for body in (rule(), rule(id=number + 1)):
        refused = await admin.put(f"{PATH}/{number}", body)
        assert (refused.status, f"send {number}" in refused.messages) == (400, True)


async def test_a_rule_of_another_project_is_not_there(admin: Caller) -> None:
    await admin.post("/projects", {"project_name": "other"})
    number = await made(admin, rule())
    elsewhere = f"/projects/other/immutabletagrules/{number}"
    assert (await admin.put(elsewhere, rule("x", id=number))).status == 404
    assert (await admin.put(elsewhere, rule(id=number, disabled=True))).status == 404
    assert (await admin.delete(elsewhere)).status == 404
    assert (await admin.get("/projects/nowhere/immutabletagrules")).status == 404
    assert (await admin.post("/projects/nowhere/immutabletagrules", rule())).status == 404


async def test_rules_are_found_and_sorted(admin: Caller) -> None:
    numbers = [await made(admin, rule(f"{n}*", priority=n, disabled=n == 1)) for n in range(3)]

    async def found(query: str) -> list[int]:
        answer: Answer = await admin.get(f"{PATH}?{query}")
        return [one["id"] for one in answer.json]

    assert await found("") == numbers
    assert await found("sort=-id") == numbers[::-1]
    assert await found("q=disabled=true") == [numbers[1]]
    assert await found("page_size=2&page=2") == [numbers[2]]


async def test_a_project_has_so_many_rules_and_no_more(admin: Caller) -> None:
    for number in range(immutable_rules.LIMIT):
        await made(admin, rule(f"{number}-*"))
    refused = await admin.post(PATH, rule("one too many"))
    assert (refused.status, "has 100 rules already" in refused.messages) == (400, True)


async def test_rules_go_with_their_project(admin: Caller, database: Database) -> None:
    await admin.post("/projects", {"project_name": "other"})
    await admin.post("/projects/other/immutabletagrules", rule())
    assert (await admin.delete("/projects/other")).status == 200
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM registry.immutable_rules") == 0


async def test_who_changes_a_rule_is_written_down(admin: Caller) -> None:
    number = await made(admin, rule())
    await admin.put(f"{PATH}/{number}", rule(id=number, disabled=True))
    await admin.put(f"{PATH}/{number}", rule("x", id=number, disabled=True))
    await admin.delete(f"{PATH}/{number}")
    await admin.post(PATH, rule(action="retain"))
    entries = (await admin.get("/auditlog-exts?q=resource_type=immutable_rule")).json
    assert [(e["operation"], e["operation_result"]) for e in entries] == [
        ("create", False),
        ("delete", True),
        ("update", True),
        ("update", True),
        ("create", True),
    ]
    assert entries[1]["resource"] == f"library rule {number}"
    assert entries[1]["operation_description"] == "tags matching x in repositories matching **"


async def test_a_rule_is_nobody_elses(nobody: Caller, stranger: Caller) -> None:
    for caller, status in ((nobody, 403), (stranger, 401)):
        assert (await caller.get(PATH)).status == status
        assert (await caller.post(PATH, rule())).status == status
        assert (await caller.put(f"{PATH}/1", rule(id=1))).status == status
        assert (await caller.delete(f"{PATH}/1")).status == status
