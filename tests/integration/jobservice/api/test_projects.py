"""Projects through the API."""

from __future__ import annotations

from typing import Any
from unittest.mock import ANY

import pytest

from database.pool import Database
from tests.integration.jobservice.api.caller import Caller


async def test_library_is_there_and_public(admin: Caller) -> None:
    shown = (await admin.get("/projects/library")).json
    assert shown["name"] == "library"
    assert shown["metadata"] == {"public": "true"}
    assert shown["repo_count"] == 0
    assert shown["owner_name"] == "admin"


@pytest.mark.parametrize(
    ("said", "public"),
    [
        ({}, "false"),
        ({"public": True}, "true"),
        ({"metadata": {"public": "true"}}, "true"),
        ({"public": True, "metadata": {"public": "false"}}, "false"),
    ],
)
async def test_a_project_is_made(admin: Caller, said: dict[str, Any], public: str) -> None:
    made = await admin.post("/projects", {"project_name": "team-a", **said})
    assert made.status == 201
    key = made.headers["Location"].removeprefix("/api/v2.0/projects/")
    for path in (f"/projects/{key}", "/projects/team-a"):
        shown = (await admin.get(path)).json
        assert (shown["name"], shown["metadata"]["public"]) == ("team-a", public)


async def test_the_location_has_the_name_where_asked(admin: Caller) -> None:
    made = await admin.post(
        "/projects", {"project_name": "x"}, headers={"X-Resource-Name-In-Location": "true"}
    )
    assert made.headers["Location"] == "/api/v2.0/projects/x"


async def test_a_name_of_digits_is_reached_by_saying_so(admin: Caller) -> None:
    await admin.post("/projects", {"project_name": "77"})
    assert (await admin.get("/projects/77")).status == 404
    found = await admin.get("/projects/77", headers={"X-Is-Resource-Name": "true"})
    assert found.json["name"] == "77"


async def test_head_says_whether_a_project_is_there(admin: Caller) -> None:
    assert (await admin.call("HEAD", "/projects?project_name=library")).status == 200
    assert (await admin.call("HEAD", "/projects?project_name=nothing")).status == 404
    assert (await admin.call("HEAD", "/projects")).status == 400


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({}, "project_name: is missing"),
        ({"project_name": "Upper"}, "'Upper'"),
        ({"project_name": "a", "metadata": {"public": "yes"}}, "metadata.public"),
        ({"project_name": "a", "metadata": {"prevent_vul": "true"}}, "metadata.prevent_vul"),
        ({"project_name": "a", "storage_limit": 5}, "storage_limit"),
        ({"project_name": "a", "registry_id": 5}, "registry_id"),
    ],
)
async def test_bad_projects_are_refused(admin: Caller, body: dict[str, Any], part: str) -> None:
    refused = await admin.post("/projects", body)
    assert refused.status == 400
    assert part in refused.messages


async def test_what_harbors_clients_send_by_habit_is_accepted(admin: Caller) -> None:
    habit = {"auto_scan": "false", "severity": "", "reuse_sys_cve_allowlist": "true"}
    body = {"project_name": "a", "metadata": habit, "storage_limit": -1}
    assert (await admin.post("/projects", body)).status == 201


async def test_a_name_is_given_once(admin: Caller) -> None:
    again = await admin.post("/projects", {"project_name": "library"})
    assert (again.status, again.code) == (409, "CONFLICT")


async def test_projects_are_listed(admin: Caller) -> None:
    for name, public in (("alpha", True), ("beta", False)):
        await admin.post("/projects", {"project_name": name, "public": public})

    async def names(query: str) -> list[str]:
        return [p["name"] for p in (await admin.get(f"/projects?{query}")).json]

    assert await names("") == ["alpha", "beta", "library"]
    assert await names("sort=-name") == ["library", "beta", "alpha"]
    assert await names("name=lph") == ["alpha"]
    assert await names("public=false") == ["beta"]
    assert await names("q=public=true,name=~a") == ["alpha", "library"]
    paged = await admin.get("/projects?page_size=2&page=2")
    assert (paged.headers["X-Total-Count"], len(paged.json)) == ("3", 1)
    assert await names("q=public={true}") == ["alpha", "library"]
    assert await names("sort=-creation_time") == ["beta", "alpha", "library"]
    assert await names("owner=admin") == ["alpha", "beta", "library"]
    assert await names("q=owner_name={nobody}") == []


async def test_projects_are_walked_by_links_while_others_come(admin: Caller) -> None:
    for number in range(5):
        await admin.post("/projects", {"project_name": f"p{number}"})
    first = await admin.get("/projects?page_size=3")
    await admin.post("/projects", {"project_name": "aaa"})
    second = await admin.get(first.links["next"])
    assert [one["name"] for one in first.json] == ["library", "p0", "p1"]
    assert [one["name"] for one in second.json] == ["p2", "p3", "p4"]
    back = await admin.get(second.links["prev"])
    assert back.json == first.json


async def test_a_project_becomes_public_and_private_again(admin: Caller, nobody: Caller) -> None:
    await admin.post("/projects", {"project_name": "a"})
    for public in ("true", "false"):
        body = {"project_name": "a", "metadata": {"public": public}, "storage_limit": -1}
        assert (await admin.put("/projects/a", body)).status == 200
        assert (await admin.get("/projects/a")).json["metadata"]["public"] == public
    assert (await admin.put("/projects/a", {"metadata": {"severity": ""}})).status == 200
    assert (await admin.put("/projects/a", {"public": True})).status == 200
    shown = (await admin.get("/projects/a")).json
    assert shown["metadata"]["public"] == "true"
    assert shown["update_time"] > shown["creation_time"]
    assert (await admin.put("/projects/a", shown)).status == 200
    assert (await admin.get("/projects/a")).json == {**shown, "update_time": ANY}
    assert (await admin.put("/projects/nowhere", shown)).status == 404
    assert (await nobody.put("/projects/a", shown)).status == 403


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({"project_name": "b"}, "a project keeps its name"),
        ({"metadata": {"public": "yes"}}, "metadata.public"),
        ({"metadata": {"prevent_vul": "true"}}, "metadata.prevent_vul"),
    ],
)
async def test_bad_changes_of_a_project_are_refused(
    admin: Caller, body: dict[str, Any], part: str
) -> None:
    await admin.post("/projects", {"project_name": "a"})
    refused = await admin.put("/projects/a", body)
    assert refused.status == 400
    assert part in refused.messages


async def test_a_project_is_deleted_when_nothing_is_in_it(
    admin: Caller, database: Database
) -> None:
    await admin.post("/projects", {"project_name": "a"})
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO registry.repositories (project_id, name)"
            " SELECT id, 'a/b' FROM access.projects WHERE name = 'a'"
        )
        await connection.execute(
            "INSERT INTO registry.manifests (repository_id, digest, media_type, size_bytes,"
            " payload, lease_until) SELECT id, '\\x01' || sha256('x'), 'm', 1, 'x', now()"
            " FROM registry.repositories"
        )
    refused = await admin.delete("/projects/a")
    assert (refused.status, refused.code) == (412, "PRECONDITION")
    assert (await admin.get("/projects/a")).json["repo_count"] == 1
    async with database.connection() as connection:
        await connection.execute("DELETE FROM registry.manifests")
    assert (await admin.delete("/projects/a")).status == 200
    assert (await admin.get("/projects/a")).status == 404
    assert (await admin.delete("/projects/a")).status == 404


QUEUED_TO = """
SELECT untagged_queued_to
FROM registry.project_settings s JOIN access.projects p ON p.id = s.project_id
WHERE p.name = $1
"""


async def test_how_long_untagged_manifests_stay_is_set_kept_and_reset(
    admin: Caller, database: Database
) -> None:
    body = {"project_name": "a", "transship": {"untagged_keep_days": 30}}
    assert (await admin.post("/projects", body)).status == 201

    async def days() -> int | None:
        found: int | None = (
            (await admin.get("/projects/a")).json["transship"].get("untagged_keep_days")
        )
        listed = {p["name"]: p["transship"] for p in (await admin.get("/projects")).json}
        assert listed["a"].get("untagged_keep_days") == found
        assert listed["library"] == {}
        return found

    assert await days() == 30
    async with database.connection() as connection:
        assert await connection.fetchval(QUEUED_TO, "a") == 0
    assert (await admin.put("/projects/a", {"public": True})).status == 200
    assert await days() == 30
    shown = (await admin.get("/projects/a")).json
    assert (await admin.put("/projects/a", shown)).status == 200
    assert await days() == 30
    for reset in (None, {}, {"untagged_keep_days": None}):
        assert (
            await admin.put("/projects/a", {"transship": {"untagged_keep_days": 7}})
        ).status == 200
        assert await days() == 7
        assert (await admin.put("/projects/a", {"transship": reset})).status == 200
        assert await days() is None
    assert (await admin.get("/projects/a")).json["metadata"] == {"public": "true"}


@pytest.mark.parametrize(
    "settings",
    [
        {"untagged_keep_days": 0},
        {"untagged_keep_days": -1},
        {"untagged_keep_days": 36_501},
        {"untagged_keep_days": 10**30},
        {"untagged_keep_days": True},
        {"untagged_keep_days": "7"},
        {"untagged_keep_days": 1.5},
        {"untagged_days": 7},
    ],
)
async def test_settings_that_cannot_be_are_refused(admin: Caller, settings: dict[str, Any]) -> None:
    for answer in (
        await admin.put("/projects/library", {"transship": settings}),
        await admin.post("/projects", {"project_name": "a", "transship": settings}),
    ):
        assert (answer.status, next(iter(settings)) in answer.messages) == (400, True)
    assert (await admin.get("/projects/a")).status == 404


async def test_who_changes_a_projects_settings_is_written_down(
    admin: Caller, database: Database
) -> None:
    await admin.put("/projects/library", {"transship": {"untagged_keep_days": 7}})
    async with database.connection() as connection:
        details = await connection.fetchval(
            "SELECT details FROM access.audit_log WHERE resource_type = 'project'"
        )
    assert (details["untagged_keep_days"], details["public"]) == (7, True)
