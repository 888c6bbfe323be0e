"""Registry endpoints through the API, against a registry that answers."""

from __future__ import annotations

import re
from typing import Any

import pytest

from database.pool import Database
from tests.fakes.registry.authentication import Door
from tests.fakes.registry.server import FakeRegistry
from tests.integration.jobservice.api.caller import Caller

MASK = "*****"


def endpoint(upstream: FakeRegistry, **different: Any) -> dict[str, Any]:
    return {"name": "up", "type": "docker-registry", "url": upstream.url, **different}


def locked(upstream: FakeRegistry) -> None:
    upstream.door = Door(scheme="basic", guards_ping=True, username="u", password="right")


async def test_an_endpoint_is_made_shown_and_listed(admin: Caller, upstream: FakeRegistry) -> None:
    made = await admin.post("/registries", endpoint(upstream, description="d"))
    assert made.status == 201
    assert made.headers["Location"] == "/api/v2.0/registries/1"
    shown = await admin.get("/registries/1")
    assert shown.json["name"] == "up"
    assert shown.json["type"] == "docker-registry"
    assert shown.json["status"] == "healthy"
    assert shown.json["description"] == "d"
    listed = await admin.get("/registries")
    assert listed.json == [shown.json]
    assert listed.headers["X-Total-Count"] == "1"


async def test_id_0_is_this_registry(admin: Caller) -> None:
    shown = await admin.get("/registries/0")
    assert shown.json["type"] == "local"
    info = await admin.get("/registries/0/info")
    assert info.status == 200
    assert "event_based" in info.json["supported_triggers"]


async def test_the_info_of_an_endpoint_names_filters_and_triggers(
    admin: Caller, upstream: FakeRegistry
) -> None:
    await admin.post("/registries", endpoint(upstream))
    info = await admin.get("/registries/1/info")
    assert info.json["type"] == "docker-registry"
    assert {"type": "name", "style": "input"} in info.json["supported_resource_filters"]
    assert info.json["supported_copy_by_chunk"] is False


async def test_adapters_are_listed_without_this_registry(admin: Caller) -> None:
    kinds = (await admin.get("/replication/adapters")).json
    assert "docker-registry" in kinds
    assert "local" not in kinds
    assert "oci-layout" not in kinds
    infos = (await admin.get("/replication/adapterinfos")).json
    assert set(infos) == set(kinds)


async def test_a_secret_reads_as_a_mask_and_is_sealed(
    admin: Caller, upstream: FakeRegistry, database: Database
) -> None:
    locked(upstream)
    credential = {"type": "basic", "access_key": "u", "access_secret": "right"}
    made = await admin.post("/registries", endpoint(upstream, credential=credential))
    assert made.status == 201
    shown = await admin.get("/registries/1")
    assert shown.json["credential"] == {**credential, "access_secret": MASK}
    async with database.connection() as connection:
        sealed = await connection.fetchval("SELECT access_secret_sealed FROM jobservice.endpoints")
    assert b"right" not in sealed


async def test_a_mask_that_comes_back_keeps_the_secret(
    admin: Caller, upstream: FakeRegistry
) -> None:
    locked(upstream)
    credential = {"type": "basic", "access_key": "u", "access_secret": "right"}
    await admin.post("/registries", endpoint(upstream, credential=credential))
    assert (await admin.put("/registries/1", {"access_secret": MASK, "name": "b"})).status == 200
    assert (await admin.post("/registries/ping", {"id": 1})).status == 200


async def test_a_new_url_without_a_secret_clears_the_stored_one(
    admin: Caller, upstream: FakeRegistry, database: Database
) -> None:
    locked(upstream)
    credential = {"type": "basic", "access_key": "u", "access_secret": "right"}
    await admin.post("/registries", endpoint(upstream, credential=credential))
    async with FakeRegistry() as elsewhere:
        assert (await admin.put("/registries/1", {"url": elsewhere.url})).status == 200
    async with database.connection() as connection:
        assert (
            await connection.fetchval("SELECT access_secret_sealed FROM jobservice.endpoints")
            is None
        )
    assert "access_secret" not in (await admin.get("/registries/1")).json["credential"]


async def test_a_put_changes_only_what_it_names(admin: Caller, upstream: FakeRegistry) -> None:
    await admin.post("/registries", endpoint(upstream, description="d"))
    await admin.put("/registries/1", {"name": "other"})
    shown = await admin.get("/registries/1")
    assert shown.json["name"] == "other"
    assert shown.json["description"] == "d"


async def test_a_wrong_password_is_refused_before_anything_is_kept(
    admin: Caller, upstream: FakeRegistry
) -> None:
    locked(upstream)
    credential = {"type": "basic", "access_key": "u", "access_secret": "wrong"}
    refused = await admin.post("/registries", endpoint(upstream, credential=credential))
    assert refused.status == 400
    assert refused.code == "BAD_REQUEST"
    assert upstream.host in refused.messages
    assert "wrong" not in refused.messages
    assert (await admin.get("/registries")).json == []


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("http://127.0.0.1:9", "127.0.0.1:9"),
        ("http://no-such-host.invalid", "no-such-host.invalid"),
        ("http://169.254.169.254", "169.254.169.254"),
    ],
)
async def test_a_registry_that_cannot_be_reached_is_refused(
    admin: Caller, url: str, part: str
) -> None:
    body = {"name": "up", "type": "docker-registry", "url": url}
    refused = await admin.post("/registries", body)
    assert refused.status == 400
    assert part in refused.messages


@pytest.mark.parametrize(
    ("different", "part"),
    [
        ({"name": ""}, "name: is missing"),
        ({"name": "x" * 65}, "name: has 65 characters"),
        ({"type": None}, "type: is missing"),
        ({"type": "local"}, "type: 'local'"),
        ({"type": "harbour"}, "type: 'harbour'"),
        ({"type": "oci-layout", "url": "/x"}, "TRANSSHIP_LAYOUT_ROOTS"),
        ({"url": None}, "url: is missing"),
        ({"url": "r.example"}, "https://host"),
        ({"url": "http://u:p@r.example"}, "user name or password"),
        ({"url": "http://r.example?x=1"}, "query"),
        ({"ca_certificate": "nonsense"}, "ca_certificate"),
        ({"credential": {"type": "oauth"}}, "oauth"),
        ({"credential": {"type": "magic"}}, "magic"),
        ({"credential": {"access_secret": MASK}}, "stands for a secret"),
        ({"name": 5}, "name: "),
        ({"credential": "x"}, "credential: "),
    ],
)
async def test_bad_endpoints_are_refused_with_a_sentence(
    admin: Caller, upstream: FakeRegistry, different: dict[str, Any], part: str
) -> None:
    refused = await admin.post("/registries", endpoint(upstream, **different))
    assert refused.status == 400
    assert part in refused.messages
    assert (await admin.get("/registries")).json == []


async def test_all_problems_are_named_at_once(admin: Caller) -> None:
    refused = await admin.post("/registries", {})
    assert len(refused.json["errors"]) == 3


async def test_a_name_is_given_once(admin: Caller, upstream: FakeRegistry) -> None:
    await admin.post("/registries", endpoint(upstream))
    await admin.post("/registries", endpoint(upstream, name="second"))
    again = await admin.post("/registries", endpoint(upstream))
    assert (again.status, again.code) == (409, "CONFLICT")
    assert (await admin.put("/registries/2", {"name": "up"})).status == 409


async def test_an_endpoint_in_use_is_not_deleted(admin: Caller, upstream: FakeRegistry) -> None:
    await admin.post("/registries", endpoint(upstream))
    policy = {"name": "p", "src_registry": {"id": 1}}
    assert (await admin.post("/replication/policies", policy)).status == 201
    refused = await admin.delete("/registries/1")
    assert (refused.status, refused.code) == (412, "PRECONDITION")
    assert "p" in refused.messages
    await admin.delete("/replication/policies/1")
    assert (await admin.delete("/registries/1")).status == 200
    assert (await admin.get("/registries/1")).status == 404


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_an_endpoint_that_is_not_there_is_404(admin: Caller, method: str) -> None:
    missing = await admin.call(method, "/registries/77")
    assert (missing.status, missing.code) == (404, "NOT_FOUND")


@pytest.mark.parametrize("key", ["x", "-1", str(2**63)])
async def test_an_id_that_is_none_is_400(admin: Caller, key: str) -> None:
    assert (await admin.get(f"/registries/{key}")).status == 400


async def test_a_ping_says_what_is_wrong(admin: Caller, upstream: FakeRegistry) -> None:
    body = {"type": "docker-registry", "url": upstream.url}
    assert (await admin.post("/registries/ping", body)).status == 200
    assert (await admin.post("/registries/ping", {"id": 0})).status == 200
    assert (await admin.post("/registries/ping", {"id": 9})).status == 404
    refused = await admin.post("/registries/ping", {**body, "url": "http://127.0.0.1:9"})
    assert refused.status == 400


async def test_lists_are_paged_with_links(admin: Caller, upstream: FakeRegistry) -> None:
    for name in ("a", "b", "c"):
        await admin.post("/registries", endpoint(upstream, name=name))
    first = await admin.get("/registries?page_size=1&sort=-name&page=2")
    assert [e["name"] for e in first.json] == ["b"]
    assert first.headers["X-Total-Count"] == "3"
    links = dict(re.findall(r'<([^>]+)>; rel="(\w+)"', first.headers["Link"]))
    beside = {relation: await admin.get("/" + link) for link, relation in links.items()}
    assert {relation: page.json[0]["name"] for relation, page in beside.items()} == {
        "prev": "c",
        "next": "a",
    }
    assert {page.headers["X-Total-Count"] for page in beside.values()} == {"3"}
    assert 'rel="next"' not in beside["next"].headers["Link"]
    assert 'rel="prev"' not in beside["prev"].headers["Link"]
    only = await admin.get("/registries", params={"q": "name=~B"})
    assert [e["name"] for e in only.json] == ["b"]
    assert "Link" not in only.headers


@pytest.mark.parametrize("query", ["page=0", "page_size=101", "page=x", "q=id=x"])
async def test_a_page_that_cannot_be_is_400(admin: Caller, query: str) -> None:
    assert (await admin.get(f"/registries?{query}")).status == 400
