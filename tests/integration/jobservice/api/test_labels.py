"""Labels, and what carries them, through the API."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from access.identity import SYSTEM
from database.pool import Database
from protocol.digest import Digest
from registry import retiring
from registry.metadata import deleted, labels
from registry.metadata import retiring as standing_rows
from registry.retiring import Condemned
from registry.service import Registry
from tests.integration.jobservice import images
from tests.integration.jobservice.api.caller import Caller
from tests.integration.jobservice.retention_house import rule

PATH = "/labels"
REPOSITORY = "library/deep/app"


def carriers(reference: str, name: str = "deep/app") -> str:
    twice = quote(quote(name, safe=""), safe="")
    return f"/projects/library/repositories/{twice}/artifacts/{reference}/labels"


async def made(admin: Caller, name: str = "stable", **fields: Any) -> int:
    answer = await admin.post(PATH, {"name": name, "scope": "g", **fields})
    assert answer.status == 201, answer.text
    return int(answer.headers["Location"].rpartition("/")[2])


async def of_library(admin: Caller) -> int:
    return int((await admin.get("/projects/library")).json["project_id"])


async def test_a_label_is_made_shown_changed_and_removed(admin: Caller) -> None:
    number = await made(admin, description="what customers run", color="#48960C")
    shown = (await admin.get(f"{PATH}/{number}")).json
    assert shown.pop("creation_time") == shown.pop("update_time")
    assert shown == {
        "id": number,
        "name": "stable",
        "description": "what customers run",
        "color": "#48960C",
        "scope": "g",
        "project_id": 0,
    }
    changed = await admin.put(f"{PATH}/{number}", {**shown, "name": "steady", "color": "red"})
    assert (changed.status, "Warning" in changed.headers) == (200, False)
    after = (await admin.get(f"{PATH}/{number}")).json
    assert (after["name"], after["color"]) == ("steady", "red")
    assert after["update_time"] > after["creation_time"]
    assert (await admin.delete(f"{PATH}/{number}")).status == 200
    for answer in (
        await admin.get(f"{PATH}/{number}"),
        await admin.put(f"{PATH}/{number}", shown),
        await admin.delete(f"{PATH}/{number}"),
    ):
        assert (answer.status, answer.messages) == (404, f"label {number} not found")


async def test_a_label_of_a_project_is_listed_with_that_project_only(admin: Caller) -> None:
    library = await of_library(admin)
    await made(admin, "everywhere")
    await made(admin, "here", scope="p", project_id=library)

    async def found(query: str) -> list[str]:
        answer = await admin.get(f"{PATH}?{query}")
        assert answer.status == 200, answer.text
        return [one["name"] for one in answer.json]

    assert await found("scope=g") == ["everywhere"]
    assert await found(f"scope=p&project_id={library}") == ["here"]
    assert await found(f"scope=p&project_id={library}&name=ER") == ["here"]
    assert await found(f"scope=p&project_id={library}&name=x") == []


async def test_labels_are_found_sorted_and_paged(admin: Caller) -> None:
    for name in ("beta", "alpha", "gamma"):
        await made(admin, name, color="red" if name == "beta" else "")
    for query, names in (
        ("", ["beta", "alpha", "gamma"]),
        ("&sort=-name", ["gamma", "beta", "alpha"]),
        ("&q=name=~ALP", ["alpha"]),
        ("&q=color=red", ["beta"]),
        ("&sort=name&page_size=2&page=2", ["gamma"]),
    ):
        answer = await admin.get(f"{PATH}?scope=g{query}")
        assert [one["name"] for one in answer.json] == names
    first = await admin.get(f"{PATH}?scope=g&sort=name&page_size=2")
    assert first.headers["X-Total-Count"] == "3"
    assert '; rel="next"' in first.headers["Link"]


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("", "scope: is missing; it is g (everybody's) or p (a project's)"),
        ("?scope=x", "scope: 'x' is not known; it is g (everybody's) or p (a project's)"),
        ("?scope=p", "project_id: is missing; what has scope p is a project's"),
    ],
)
async def test_a_list_says_whose_labels_it_wants(admin: Caller, query: str, problem: str) -> None:
    answer = await admin.get(PATH + query)
    assert (answer.status, answer.messages) == (400, problem)


async def test_labels_of_a_project_that_is_not_there_are_not_found(admin: Caller) -> None:
    assert (await admin.get(f"{PATH}?scope=p&project_id=4711")).status == 404
    body = {"name": "x", "scope": "p", "project_id": 4711}
    assert (await admin.post(PATH, body)).status == 404


@pytest.mark.parametrize(
    ("fields", "problems"),
    [
        ({"name": ""}, ["name: is missing"]),
        ({"name": "x" * 129}, ["name: has 129 characters; 128 are allowed"]),
        ({"scope": "P"}, ["scope: 'P' is not known"]),
        ({"scope": "p"}, ["project_id: is missing"]),
        (
            {"name": None, "color": "a colour of my own", "scope": None},
            ["name: is missing", "more than 16 characters", "scope: is missing"],
        ),
    ],
)
async def test_a_label_that_cannot_be_is_refused_with_everything_that_is_wrong(
    admin: Caller, fields: dict[str, Any], problems: list[str]
) -> None:
    answer = await admin.post(PATH, {"name": "x", "scope": "g", **fields})
    assert answer.status == 400
    assert len(answer.json["errors"]) == len(problems)
    assert [one for one in problems if one not in answer.messages] == []


async def test_a_name_is_there_once_for_everybody_and_once_in_each_project(admin: Caller) -> None:
    library = await of_library(admin)
    first = await made(admin)
    await made(admin, scope="p", project_id=library)
    for fields in ({}, {"scope": "p", "project_id": library}):
        again = await admin.post(PATH, {"name": "stable", "scope": "g", **fields})
        assert (again.status, again.code) == (409, "CONFLICT")
        assert again.messages == "the label 'stable' exists already"
    await made(admin, "other")
    assert (await admin.put(f"{PATH}/{first}", {"name": "other"})).status == 409
    assert (await admin.get(f"{PATH}/{first}")).json["name"] == "stable"


async def test_a_label_stays_where_it_was_made_and_says_so(admin: Caller) -> None:
    library = await of_library(admin)
    body = {"name": "stable", "scope": "g", "project_id": library}
    answer = await admin.post(PATH, body)
    assert "project_id" in answer.headers["Warning"]
    number = int(answer.headers["Location"].rpartition("/")[2])
    moved = await admin.put(f"{PATH}/{number}", {**body, "scope": "p", "id": number + 1})
    assert moved.status == 200
    assert [
        one for one in ("id", "scope", "project_id") if one not in moved.headers["Warning"]
    ] == []
    assert (await admin.get(f"{PATH}/{number}")).json["scope"] == "g"


async def pushed(registry: Registry, tag: str = "1.0") -> Digest:
    await registry.prepare(REPOSITORY)
    return await images.push(registry.repository(REPOSITORY, SYSTEM), tag, b"a layer")


async def carried(admin: Caller, reference: str) -> list[str]:
    answer = await admin.get(carriers(reference))
    assert answer.status == 200, answer.text
    return [one["name"] for one in answer.json]


async def test_a_label_is_put_on_an_artifact_and_taken_off_again(
    admin: Caller, local_registry: Registry
) -> None:
    digest = await pushed(local_registry)
    everybodys = await made(admin)
    own = await made(admin, "ours", scope="p", project_id=await of_library(admin))
    shown = (await admin.get(f"{PATH}/{own}")).json
    assert (await admin.post(carriers("1.0"), {"id": everybodys})).status == 200
    assert (await admin.post(carriers(str(digest)), shown)).status == 200
    assert await carried(admin, "1.0") == await carried(admin, str(digest)) == ["stable", "ours"]
    again = await admin.post(carriers("1.0"), {"id": own})
    assert (again.status, again.code) == (409, "CONFLICT")
    assert again.messages == "library/deep/app:1.0 has the label 'ours' already"
    assert (await admin.delete(f"{carriers('1.0')}/{everybodys}")).status == 200
    gone = await admin.delete(f"{carriers('1.0')}/{everybodys}")
    assert gone.messages == f"label of library/deep/app:1.0 {everybodys} not found"
    assert await carried(admin, "1.0") == ["ours"]


async def test_a_name_that_is_encoded_once_means_the_same(
    admin: Caller, local_registry: Registry
) -> None:
    await pushed(local_registry)
    number = await made(admin)
    once = "/projects/library/repositories/deep%2Fapp/artifacts/1.0/labels"
    assert (await admin.post(once, {"id": number})).status == 200
    assert await carried(admin, "1.0") == ["stable"]


async def test_what_is_not_there_is_told_by_name(admin: Caller, local_registry: Registry) -> None:
    digest = await pushed(local_registry)
    number = await made(admin)
    await admin.post("/projects", {"project_name": "other"})
    elsewhere = (await admin.get("/projects/other")).json["project_id"]
    foreign = await made(admin, "theirs", scope="p", project_id=elsewhere)
    missing = f"sha256:{'0' * 64}"
    for path, label, status, message in (
        (carriers("2.0"), number, 404, "artifact library/deep/app:2.0 not found"),
        (carriers(missing), number, 404, f"artifact library/deep/app@{missing} not found"),
        (carriers("1.0", "app"), number, 404, "artifact library/app:1.0 not found"),
        (carriers("1.0"), 4711, 404, "label 4711 not found"),
        (carriers(str(digest)), foreign, 404, f"label {foreign} not found"),
        (carriers("sha256:12"), number, 400, "reference: "),
        (carriers("1.0", "a\0"), number, 400, "repository_name: holds a NUL character"),
        (carriers("1.0"), None, 400, "id: is missing"),
    ):
        answer = await admin.post(path, {"id": label})
        assert (answer.status, message in answer.messages) == (status, True), answer.messages
    nowhere = carriers("1.0").replace("library", "nowhere")
    assert (await admin.get(nowhere)).status == 404
    assert (await admin.delete(f"{nowhere}/{number}")).status == 404
    assert (await admin.delete(f"{carriers('1.0')}/4711")).messages == "label 4711 not found"


async def test_an_artifact_has_so_many_labels_and_no_more(
    admin: Caller, local_registry: Registry, database: Database
) -> None:
    digest = await pushed(local_registry)
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO registry.labels (name) SELECT 'l' || n FROM generate_series(1, $1) n",
            labels.LIMIT,
        )
        await connection.execute(
            "INSERT INTO registry.manifest_labels (repository_id, digest, label_id)"
            " SELECT m.repository_id, m.digest, l.id FROM registry.manifests m, registry.labels l"
        )
    number = await made(admin)
    refused = await admin.post(carriers(str(digest)), {"id": number})
    assert (refused.status, "has 100 labels" in refused.messages) == (400, True)


async def test_a_label_that_is_removed_is_taken_off_everything(
    admin: Caller, local_registry: Registry, database: Database
) -> None:
    await pushed(local_registry)
    number = await made(admin)
    await admin.post(carriers("1.0"), {"id": number})
    assert (await admin.delete(f"{PATH}/{number}")).status == 200
    assert await carried(admin, "1.0") == []
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM registry.deleted_labels") == 0


async def test_an_artifact_that_is_put_back_has_those_of_its_labels_that_are_still_there(
    admin: Caller, local_registry: Registry, database: Database
) -> None:
    digest = await pushed(local_registry)
    numbers = [await made(admin, name) for name in ("stays", "goes", "was taken off")]
    for number in numbers:
        await admin.post(carriers("1.0"), {"id": number})
    await admin.delete(f"{carriers('1.0')}/{numbers[2]}")
    await local_registry.repository(REPOSITORY, SYSTEM).delete_manifest(digest)
    await admin.delete(f"{PATH}/{numbers[1]}")
    back = await admin.post(
        "/system/gc/undelete", {"repository": REPOSITORY, "reference": str(digest)}
    )
    assert back.status == 200, back.text
    assert await carried(admin, "1.0") == ["stays"]
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM registry.deleted_labels") == 0


async def test_what_a_deleted_artifact_was_labelled_with_is_forgotten_after_the_window(
    admin: Caller, local_registry: Registry, database: Database
) -> None:
    digest = await pushed(local_registry)
    await admin.post(carriers("1.0"), {"id": await made(admin)})
    await local_registry.repository(REPOSITORY, SYSTEM).delete_manifest(digest)
    async with database.connection() as connection:
        await deleted.forget_old(connection, limit=10)
        count = "SELECT count(*) FROM registry.deleted_labels"
        assert await connection.fetchval(count) == 1
        await connection.execute("UPDATE registry.deleted_labels SET forget_after = now()")
        assert await deleted.forget_old(connection, limit=1)
        assert await connection.fetchval(count) == 0


async def test_an_artifact_that_is_pushed_anew_begins_without_labels(
    admin: Caller, local_registry: Registry
) -> None:
    digest = await pushed(local_registry)
    number = await made(admin)
    await admin.post(carriers("1.0"), {"id": number})
    await local_registry.repository(REPOSITORY, SYSTEM).delete_manifest(digest)
    assert await pushed(local_registry) == digest
    assert await carried(admin, "1.0") == []


async def test_retention_asks_for_labels(admin: Caller, local_registry: Registry) -> None:
    for tag in ("1.0", "2.0", "3.0"):
        await pushed(local_registry, tag)
    number = await made(admin)
    await admin.post(carriers("2.0"), {"id": number})
    labelled = {"kind": "label", "decoration": "withLabels", "pattern": "stable"}
    body = {
        "algorithm": "or",
        "scope": {"level": "project", "ref": await of_library(admin)},
        "rules": [{**rule("always"), "tag_selectors": [labelled]}],
    }
    (found,) = (await admin.post("/retentions/preview", body)).json["repositories"]
    assert {one["tags"][0]: one["action"] for one in found["artifacts"]} == {
        "1.0": "delete",
        "2.0": "keep",
        "3.0": "delete",
    }


@pytest.mark.parametrize("change", ["put on", "taken off"])
async def test_an_artifact_whose_labels_change_is_not_what_was_decided_about(
    admin: Caller, local_registry: Registry, database: Database, change: str
) -> None:
    digest = await pushed(local_registry)
    number = await made(admin)
    if change == "taken off":
        await admin.post(carriers("1.0"), {"id": number})
    async with database.transaction() as connection:
        now = await standing_rows.clock(connection)
        standing = (await standing_rows.lock(connection, REPOSITORY, [digest]))[digest]
    latest = max([standing.used_at, *standing.tags.values()])
    if change == "put on":
        await admin.post(carriers("1.0"), {"id": number})
    else:
        await admin.delete(f"{carriers('1.0')}/{number}")
    condemned = Condemned(digest=digest, tags=("1.0",), used_at=latest, decided_at=now)
    async with database.transaction() as connection:
        refusals = await retiring.retire(connection, REPOSITORY, [condemned], by="retention")
    assert refusals == ["it was used since it was decided"]


async def test_labels_go_with_their_project(admin: Caller, database: Database) -> None:
    await admin.post("/projects", {"project_name": "other"})
    other = (await admin.get("/projects/other")).json["project_id"]
    await made(admin, scope="p", project_id=other)
    assert (await admin.delete("/projects/other")).status == 200
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM registry.labels") == 0


async def test_who_labels_is_written_down(admin: Caller, local_registry: Registry) -> None:
    await pushed(local_registry)
    number = await made(admin)
    await admin.put(f"{PATH}/{number}", {"name": "steady"})
    await admin.post(carriers("1.0"), {"id": number})
    await admin.post(carriers("1.0"), {"id": number})
    await admin.delete(f"{carriers('1.0')}/{number}")
    await admin.delete(f"{PATH}/{number}")

    async def entries(kind: str) -> list[tuple[str, bool]]:
        found = (await admin.get(f"/auditlog-exts?q=resource_type={kind}")).json
        return [(one["operation"], one["operation_result"]) for one in found]

    assert await entries("label") == [("delete", True), ("update", True), ("create", True)]
    assert await entries("artifact_label") == [
        ("delete", True),
        ("create", False),
        ("create", True),
    ]


async def test_labels_are_nobody_elses(nobody: Caller, stranger: Caller) -> None:
    for caller, status in ((nobody, 403), (stranger, 401)):
        for method, path in (
            ("GET", f"{PATH}?scope=g"),
            ("POST", PATH),
            ("GET", f"{PATH}/1"),
            ("PUT", f"{PATH}/1"),
            ("DELETE", f"{PATH}/1"),
            ("GET", carriers("1.0")),
            ("POST", carriers("1.0")),
            ("DELETE", f"{carriers('1.0')}/1"),
        ):
            assert (await caller.call(method, path)).status == status
