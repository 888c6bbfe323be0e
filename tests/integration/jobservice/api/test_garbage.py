"""What collection would take, what was deleted, and putting it back."""

from __future__ import annotations

import csv

import pytest

from access.identity import SYSTEM
from database.pool import Database
from protocol.digest import Digest
from protocol.errors import NotFound
from registry.service import Registry
from tests.integration.jobservice import images
from tests.integration.jobservice.api.caller import Caller

APP = "library/app"
LAYER = b"a layer" * 1000
REFUSED = """
UPDATE registry.tombstones SET error = 'access denied', attempts = 3
WHERE storage_key = (SELECT storage_key FROM registry.tombstones LIMIT 1)
"""
# As collection does it: a blob's row goes for a tombstone.
COLLECTED = """
DELETE FROM registry.repository_blobs;
WITH gone AS (DELETE FROM registry.blobs RETURNING *)
INSERT INTO registry.tombstones (storage_key, size_bytes, digest, reason, delete_after)
SELECT storage_key, size_bytes, digest, 'collected', now() + interval '7 days' FROM gone
"""
UNNEEDED_COUNT = 50_000
UNNEEDED = """
WITH made AS (
    INSERT INTO registry.blobs (digest, size_bytes, storage_key)
    SELECT '\\x01'::bytea || sha256(n::text::bytea), 1, gen_random_uuid()
    FROM generate_series(1, $1::integer) n RETURNING id
)
INSERT INTO registry.gc_queue (kind, object_id, reason, review_after)
SELECT 'b'::"char", id, 'unlinked', now() FROM made
"""
HELD_UP = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
  AND backend_type = 'client backend'
"""
BURIED = """
INSERT INTO registry.tombstones (storage_key, size_bytes, reason, delete_after)
VALUES (gen_random_uuid(), 77, 'collected', now())
"""


async def deleted(registry: Registry, tag: str = "1.0") -> Digest:
    """Push an image and delete it."""
    await registry.prepare(APP)
    store = registry.repository(APP, SYSTEM)
    digest = await images.push(store, tag, LAYER)
    await store.delete_manifest(digest)
    return digest


async def test_a_preview_has_candidates_reasons_and_sums(
    admin: Caller, local_registry: Registry
) -> None:
    await deleted(local_registry)
    found = (await admin.get("/system/gc/preview")).json
    assert {(one["kind"], one["repository"]) for one in found["candidates"]} == {("blob", APP)}
    total = sum(one["bytes"] for one in found["candidates"])
    assert total > len(LAYER)
    assert found["repositories"] == [{"repository": APP, "count": 2, "bytes": total}]
    assert found["reasons"] == [{"reason": "unreferenced", "count": 2, "bytes": total}]
    assert found["reclaimable"]["unreviewed"] == {"objects": 2, "bytes": total}
    sums = (await admin.get("/system/gc/preview?candidates=false")).json
    assert sums == {**found, "candidates": []}


async def test_untagged_manifests_are_in_a_preview_that_asks_for_them(
    admin: Caller, local_registry: Registry, database: Database
) -> None:
    await local_registry.prepare(APP)
    digest = await images.push(local_registry.repository(APP, SYSTEM), None, LAYER)
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE registry.manifests SET pushed_at = now() - interval '1 day',"
            " lease_until = now() - interval '1 day'"
        )
    assert (await admin.get("/system/gc/preview")).json["candidates"] == []
    found = (await admin.get("/system/gc/preview?delete_untagged=true")).json["candidates"]
    assert str(digest) in {one["digest"] for one in found if one["kind"] == "manifest"}


async def test_a_preview_is_csv_or_a_page_for_who_wants_that(
    admin: Caller, local_registry: Registry
) -> None:
    await deleted(local_registry)
    rows = list(
        csv.DictReader((await admin.get("/system/gc/preview?format=csv")).text.splitlines())
    )
    assert {row["reason"] for row in rows} == {"unreferenced"}
    page = await admin.get("/system/gc/preview", headers={"Accept": "text/html"})
    assert page.headers["Content-Type"].startswith("text/html")
    assert APP in page.text


async def test_what_the_storage_refused_is_told_with_its_words(
    admin: Caller, database: Database
) -> None:
    async with database.connection() as connection:
        await connection.execute(BURIED)
        await connection.execute(REFUSED)
    found = (await admin.get("/system/gc/preview")).json
    (refused,) = found["refused_by_storage"]
    assert (refused["words"], refused["attempts"], refused["bytes"]) == ("access denied", 3, 77)
    assert found["reclaimable"]["failed"] == {"objects": 1, "bytes": 77}


async def test_a_preview_of_nothing_is_empty(admin: Caller) -> None:
    found = (await admin.get("/system/gc/preview")).json
    assert (found["candidates"], found["repositories"]) == ([], [])


async def test_what_was_deleted_is_listed_found_and_paged(
    admin: Caller, local_registry: Registry
) -> None:
    digests = [str(await deleted(local_registry, str(number))) for number in range(3)]
    first = await admin.get("/system/gc/deleted?page_size=2")
    assert [one["digest"] for one in first.json] == [digests[2], digests[1]]
    assert first.headers["X-Total-Count"] == "3"
    rest = await admin.get(first.links["next"])
    assert [one["digest"] for one in rest.json] == [digests[0]]
    assert rest.json[0]["tags"] == ["0"]
    assert rest.json[0]["until"] > rest.json[0]["deleted_at"]
    (found,) = (await admin.get(f"/system/gc/deleted?q=digest={digests[1]}")).json
    assert found["repository"] == APP
    assert (await admin.get("/system/gc/deleted?q=repository=library/other")).json == []
    assert (await admin.get("/system/gc/deleted?q=colour=red")).status == 400


async def test_a_tag_that_went_alone_is_listed_beside_the_manifest_that_went_later(
    admin: Caller, local_registry: Registry
) -> None:
    await local_registry.prepare(APP)
    store = local_registry.repository(APP, SYSTEM)
    digest = await images.push(store, "1.0", LAYER)
    await store.delete_tag("1.0")
    (alone,) = (await admin.get("/system/gc/deleted?q=kind=tag")).json
    assert (alone["reference"], alone["digest"], alone["tags"]) == ("1.0", str(digest), ["1.0"])
    assert (alone["reason"], alone["state"]) == ("deleted", "deleted")
    assert alone["until"] > alone["deleted_at"]
    await store.delete_manifest(digest)
    both = (await admin.get("/system/gc/deleted")).json
    assert [(one["kind"], one["reference"], one["tags"]) for one in both] == [
        ("manifest", str(digest), []),
        ("tag", "1.0", ["1.0"]),
    ]
    back = await admin.post("/system/gc/undelete", {"repository": APP, "reference": "1.0"})
    assert (back.json["digests"], back.json["tags"]) == ([str(digest)], ["1.0"])
    assert (await admin.get("/system/gc/deleted")).json == []


async def test_what_is_here_again_and_what_was_released_are_told_apart(
    admin: Caller, local_registry: Registry, database: Database
) -> None:
    digest = await deleted(local_registry)
    async with database.connection() as connection:
        await connection.execute(COLLECTED)
        before = (await admin.get("/system/gc/deleted")).json
        await connection.execute("DELETE FROM registry.tombstones")
    (released,) = (await admin.get("/system/gc/deleted")).json
    assert [one["state"] for one in before] == ["deleted"]
    assert (released["state"], released["digest"]) == ("released", str(digest))
    refused = await admin.post("/system/gc/undelete", {"repository": APP, "reference": "1.0"})
    assert refused.status == 412
    assert "is released: bytes that it needs are gone for good" in refused.messages
    await images.push(local_registry.repository(APP, SYSTEM), "1.0", LAYER)
    assert [one["state"] for one in (await admin.get("/system/gc/deleted")).json] == ["returned"]


async def test_what_a_project_that_is_gone_had_is_not_listed(
    admin: Caller, local_registry: Registry, database: Database
) -> None:
    await deleted(local_registry)
    async with database.connection() as connection:
        for table in ("deleted_manifests", "deleted_tags"):
            await connection.execute(f"UPDATE registry.{table} SET project_id = 4711")  # noqa: S608
    assert (await admin.get("/system/gc/deleted")).json == []


@pytest.mark.parametrize("by_tag", [True, False])
async def test_what_was_deleted_is_put_back(
    admin: Caller, local_registry: Registry, *, by_tag: bool
) -> None:
    digest = await deleted(local_registry)
    body = {"repository": APP, "reference": "1.0" if by_tag else str(digest)}
    back = await admin.post("/system/gc/undelete", body)
    assert back.status == 200
    assert back.json == {"digests": [str(digest)], "tags": ["1.0"], "taken": [], "left": []}
    assert (await local_registry.repository(APP, SYSTEM).resolve("1.0")).digest == digest
    again = await admin.post("/system/gc/undelete", body)
    assert again.status in {404, 412}
    entries = (await admin.get("/auditlog-exts?q=operation=undelete&sort=id")).json
    assert [one["operation_result"] for one in entries] == [True, False]
    assert entries[0]["resource_type"] == "artifact"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"repository": APP, "reference": "never"}, 404),
        ({"repository": "nowhere/app", "reference": "1.0"}, 404),
        ({"repository": "Not A Name", "reference": "1.0"}, 400),
        ({"repository": "", "reference": "1.0"}, 400),
        ({"repository": APP}, 400),
        ({"repository": APP, "reference": "1.0", "colour": "red"}, 400),
        ({"repository": APP, "reference": "sha256:short"}, 400),
    ],
)
async def test_what_cannot_be_put_back_is_refused(
    admin: Caller, body: dict[str, str], status: int
) -> None:
    assert (await admin.post("/system/gc/undelete", body)).status == status


async def test_nothing_is_put_back_while_read_only(admin: Caller, local_registry: Registry) -> None:
    await deleted(local_registry)
    await local_registry.set_read_only(on=True)
    refused = await admin.post("/system/gc/undelete", {"repository": APP, "reference": "1.0"})
    assert refused.status == 412
    assert "nothing is put back" in refused.messages
    with pytest.raises(NotFound):
        await local_registry.repository(APP, SYSTEM).resolve("1.0")


async def test_nobody_else_looks_or_puts_back(nobody: Caller, stranger: Caller) -> None:
    for path in ("/system/gc/preview", "/system/gc/deleted"):
        assert (await nobody.get(path)).status == 403
        assert (await stranger.get(path)).status == 401
    body = {"repository": APP, "reference": "1.0"}
    assert (await nobody.post("/system/gc/undelete", body)).status == 403


async def test_who_stops_reading_a_preview_holds_no_snapshot_and_no_connection(
    admin: Caller, database: Database
) -> None:
    """The answer is longer than what the two ends keep of it unread."""
    async with database.connection() as connection:
        await connection.execute(UNNEEDED, UNNEEDED_COUNT)
    headers = {"Authorization": admin.authorization or ""}
    async with admin.client.get("/api/v2.0/system/gc/preview", headers=headers) as response:
        assert response.status == 200
        async with database.connection() as connection:
            assert await connection.fetchval(HELD_UP) == 0
        assert database.use().idle == database.use().open
        found = await response.json()
    assert len(found["candidates"]) == UNNEEDED_COUNT
    assert found["repositories"] == [
        {"repository": "", "count": UNNEEDED_COUNT, "bytes": UNNEEDED_COUNT}
    ]
