"""What every operation has in common: who may, what is unknown, what errors look like."""

from __future__ import annotations

import io
import re

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from jobservice.api import application
from jobservice.api.router import Permission, Route
from tests.integration.jobservice.api.caller import PASSWORD, Answer, Caller

ANYBODY = {
    "/api/v2.0/ping",
    "/api/v2.0/health",
    "/api/version",
    "/api/v2.0/systeminfo",
    "/api/v2.0/systeminfo/getcert",
    "/healthz",
    "/readyz",
}


async def send(caller: Caller, route: Route) -> Answer:
    path = re.sub(r"\{\w+\}", "1", route.path)
    return await caller.call(route.method, f"/{path}")


def test_only_what_is_needed_before_login_is_open() -> None:
    found = {r.path for r in application.ROUTES if r.permission is Permission.ANYBODY}
    assert found == ANYBODY


@pytest.mark.parametrize(
    "route",
    [r for r in application.ROUTES if r.permission is not Permission.ANYBODY],
    ids=lambda r: r.operation_id,
)
async def test_nobody_gets_in(stranger: Caller, nobody: Caller, route: Route) -> None:
    anonymous = await send(stranger, route)
    assert anonymous.status == 401
    assert anonymous.headers["WWW-Authenticate"].startswith("Basic realm=")
    powerless = await send(nobody, route)
    assert powerless.status == 403
    if route.method != "HEAD":
        assert anonymous.code == "UNAUTHORIZED"
        assert powerless.json == {
            "errors": [{"code": "FORBIDDEN", "message": "this needs a system administrator"}]
        }


@pytest.mark.parametrize(
    "authorization",
    ["Basic x", "Basic", "Bearer abc", "Basic " + "YWRtaW4=", "Basic YWRtaW46d3Jvbmc="],
)
async def test_wrong_credentials_are_401_everywhere(stranger: Caller, authorization: str) -> None:
    caller = Caller(stranger.client, authorization)
    for path in ("/registries", "/ping"):
        answer = await caller.get(path)
        assert answer.status == 401
        assert PASSWORD not in answer.text


async def test_ping_version_and_probes_answer_anybody(stranger: Caller) -> None:
    assert (await stranger.get("/ping")).text == "Pong"
    assert (await stranger.get("//api/version")).json == {"version": "v2.0"}
    assert (await stranger.get("//healthz")).text == "ok"
    assert (await stranger.get("//readyz")).status == 200


async def test_health_names_the_parts_and_what_is_wrong(stranger: Caller) -> None:
    answer = await stranger.get("/health")
    assert answer.json["status"] == "unhealthy"
    assert {c["name"]: c["status"] for c in answer.json["components"]} == {
        "core": "healthy",
        "database": "healthy",
        "redis": "unhealthy",
    }


async def test_a_stranger_learns_little_about_the_installation(
    stranger: Caller, admin: Caller
) -> None:
    public = (await stranger.get("/systeminfo")).json
    assert set(public) == {
        "current_time",
        "auth_mode",
        "primary_auth_mode",
        "self_registration",
        "has_ca_root",
    }
    full = (await admin.get("/systeminfo")).json
    assert full["registry_url"] == "t.example:8080"
    assert full["harbor_version"].startswith("v2.")


async def test_volumes_are_in_bytes(admin: Caller) -> None:
    (storage,) = (await admin.get("/systeminfo/volumes")).json["storage"]
    assert storage["total"] > storage["free"] > 0


async def test_there_is_no_certificate_to_download(stranger: Caller) -> None:
    assert (await stranger.get("/systeminfo/getcert")).status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/users"),
        ("GET", "/projects/library/repositories"),
        ("PUT", "/projects/library/members/1"),
        ("POST", "/system/scanAll/schedule"),
    ],
)
async def test_what_harbor_has_and_we_do_not_is_501(
    admin: Caller, stranger: Caller, method: str, path: str
) -> None:
    answer = await admin.call(method, path)
    assert (answer.status, answer.code) == (501, "NOT_IMPLEMENTED")
    assert path in answer.messages
    assert (await stranger.call(method, path)).status == 401


async def test_an_unknown_path_is_404_in_harbors_shape(stranger: Caller) -> None:
    answer = await stranger.get("/nothing/here")
    assert (answer.status, answer.code) == (404, "NOT_FOUND")


async def test_another_method_is_405(admin: Caller) -> None:
    answer = await admin.call("PATCH", "/registries/1")
    assert (answer.status, answer.code) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"] == "DELETE, GET, PUT"


async def test_a_request_id_comes_back_or_is_given(stranger: Caller) -> None:
    given = await stranger.get("/ping", headers={"X-Request-Id": "abc-1"})
    assert given.headers["X-Request-Id"] == "abc-1"
    made = await stranger.get("/nothing", headers={"X-Request-Id": "with space"})
    assert re.fullmatch(r"[0-9a-f]{32}", made.headers["X-Request-Id"])


@pytest.mark.parametrize(
    ("content_type", "body", "status", "code"),
    [
        ("text/plain", b"{}", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("application/json", b"", 400, "BAD_REQUEST"),
        ("application/json", b"{", 400, "BAD_REQUEST"),
        ("application/json", b"[]", 400, "BAD_REQUEST"),
        ("application/json", b"null", 400, "BAD_REQUEST"),
        ("application/json", b'{"name": "\xff"}', 400, "BAD_REQUEST"),
        ("application/json", b"[" * 100_000, 400, "BAD_REQUEST"),
        ("application/json", b" " * 2_000_000 + b"{}", 413, "REQUEST_ENTITY_TOO_LARGE"),
    ],
)
async def test_a_body_that_is_no_json_object_is_refused(
    admin: Caller, content_type: str, body: bytes, status: int, code: str
) -> None:
    stream = io.BytesIO(body)
    answer = await admin.post("/registries", data=stream, headers={"Content-Type": content_type})
    assert (answer.status, answer.code) == (status, code)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_body_that_is_not_in_its_encoding_is_refused(admin: Caller, encoding: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    answer = await admin.post("/pauses", data=io.BytesIO(b"[no such thing]"), headers=headers)
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")
    assert answer.messages.startswith("body: ")


async def test_unknown_names_cannot_break_the_warning(admin: Caller) -> None:
    names = {f'é"\\{n}\r\nX-Evil: 1': 1 for n in range(30)}
    answer = await admin.post("/projects", {"project_name": "a", **names})
    assert "X-Evil" not in answer.headers
    assert "and 10 more" in answer.headers["Warning"]


async def test_the_document_is_valid_openapi(admin: Caller) -> None:
    document = (await admin.get("/openapi.json")).json
    OpenAPIV31SpecValidator(document).validate()
    assert "/registries/{id}" in document["paths"]
