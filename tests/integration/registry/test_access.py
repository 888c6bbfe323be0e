"""Who gets in, and what names are refused."""

from __future__ import annotations

import pytest
from aiohttp import encode_basic_auth

from access import projects
from access.errors import ProjectNotEmpty
from database.pool import Database
from registry.service import Registry
from tests.integration.registry import steps
from tests.integration.registry.steps import REPOSITORY, Client, ask

CHALLENGE = 'Basic realm="transship"'
SECRET = "secret/app"


async def make_project(database: Database, name: str) -> None:
    async with database.connection() as connection:
        await projects.create(connection, name=name, public=False)


async def test_p1_a1_the_door_is_closed_and_says_how_it_opens(
    client: Client, anonymous: Client
) -> None:
    refused = await ask(anonymous, "GET", "/v2/")
    assert (refused.status, refused.code) == (401, "UNAUTHORIZED")
    assert refused.headers["WWW-Authenticate"] == CHALLENGE
    opened = await ask(client, "GET", "/v2/")
    assert (opened.status, opened.body) == (200, b"{}")
    assert opened.headers["Docker-Distribution-API-Version"] == "registry/2.0"


@pytest.mark.parametrize("header", ["Basic bm9ib2R5OndobwA=", "Basic x", "Bearer y", "Basic"])
async def test_wrong_credentials_are_refused_everywhere(anonymous: Client, header: str) -> None:
    for path in ("/v2/", f"/v2/{REPOSITORY}/tags/list", "/v2/_catalog"):
        answer = await ask(anonymous, "GET", path, Authorization=header)
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, CHALLENGE)


async def test_empty_credentials_are_none(client: Client, anonymous: Client) -> None:
    await steps.push_image(client, "latest")
    url = f"/v2/{REPOSITORY}/manifests/latest"
    assert (await ask(anonymous, "GET", url, Authorization="Basic Og==")).status == 200
    assert (await ask(anonymous, "GET", "/v2/", Authorization="Basic Og==")).status == 401


async def test_a_wrong_password_is_refused(anonymous: Client) -> None:
    header = encode_basic_auth("admin", "wrong")
    assert (await ask(anonymous, "GET", "/v2/", Authorization=header)).status == 401


async def test_everybody_pulls_what_is_public_and_nothing_else(
    client: Client, anonymous: Client, database: Database
) -> None:
    await make_project(database, "secret")
    for repository in (REPOSITORY, SECRET):
        body = await steps.push_image(client, "latest", repository=repository)
        paths = [
            "manifests/latest",
            "tags/list",
            f"blobs/{steps.digest(b'layer')}",
            f"referrers/{steps.digest(body)}",
        ]
        for path in paths:
            answer = await ask(anonymous, "GET", f"/v2/{repository}/{path}")
            assert answer.status == (200 if repository == REPOSITORY else 401)


async def test_what_is_private_and_what_is_not_there_look_the_same(
    client: Client, anonymous: Client, database: Database
) -> None:
    await make_project(database, "secret")
    await steps.push_image(client, "latest", repository=SECRET)
    answers = {
        (answer.status, answer.body.replace(name.encode(), b""))
        for name in (SECRET, "absent/app")
        for answer in [await ask(anonymous, "GET", f"/v2/{name}/manifests/latest")]
    }
    assert len(answers) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "blobs/uploads/"),
        ("PUT", "manifests/latest"),
        ("DELETE", "manifests/latest"),
        ("DELETE", f"blobs/{steps.digest(b'layer')}"),
    ],
)
async def test_nobody_changes_a_public_project_without_a_name(
    client: Client, anonymous: Client, method: str, path: str
) -> None:
    await steps.push_image(client, "latest")
    answer = await ask(anonymous, method, f"/v2/{REPOSITORY}/{path}")
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, CHALLENGE)
    assert (await ask(client, "HEAD", f"/v2/{REPOSITORY}/manifests/latest")).status == 200


async def test_the_catalog_is_for_sysadmins(client: Client, anonymous: Client) -> None:
    for name in ("b", "a", "c"):
        await steps.push_image(client, "latest", repository=f"library/{name}")
    assert (await ask(anonymous, "GET", "/v2/_catalog")).status == 401
    page = await ask(client, "GET", "/v2/_catalog?n=2")
    assert page.json == {"repositories": ["library/a", "library/b"]}
    assert page.headers["Link"] == '</v2/_catalog?n=2&last=library%2Fb>; rel="next"'


async def test_a_push_into_no_project_is_told_how_to_make_it(
    client: Client, registry: Registry
) -> None:
    url = "/v2/team/app/blobs/uploads/"
    refused = await ask(client, "POST", url)
    assert (refused.status, refused.code) == (404, "NAME_UNKNOWN")
    assert b"transship project create team" in refused.body
    manifest = await steps.put_manifest(client, steps.index([]), "t", "team/app")
    assert (manifest.status, manifest.code) == (404, "NAME_UNKNOWN")
    await registry.prepare("team/app")
    assert (await ask(client, "POST", url)).status == 202
    assert await registry.visibility("team/app") is False


@pytest.mark.parametrize(
    "name", ["app", "Library/app", "library/-x", "library//x", "l/" + "x" * 254]
)
async def test_names_that_are_none_are_refused(client: Client, name: str) -> None:
    answer = await ask(client, "POST", f"/v2/{name}/blobs/uploads/")
    assert (answer.status, answer.code) == (400, "NAME_INVALID")


@pytest.mark.parametrize(
    "name", ["library/blobs/uploads", "library/manifests", "library/tags/list", "library/v2"]
)
async def test_a_repository_may_be_called_like_a_part_of_the_address(
    client: Client, name: str
) -> None:
    body = await steps.push_image(client, "latest", repository=name)
    assert (await ask(client, "GET", f"/v2/{name}/manifests/latest")).body == body
    assert (await ask(client, "GET", f"/v2/{name}/tags/list")).json["tags"] == ["latest"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/library/app", 404),
        ("GET", "/v2/library/app/blobs/uploads/", 405),
        ("PATCH", f"/v2/{REPOSITORY}/manifests/latest", 405),
        ("GET", "/v2/_other", 404),
    ],
)
async def test_other_addresses_and_methods_are_refused(
    client: Client, method: str, path: str, status: int
) -> None:
    assert (await ask(client, method, path)).status == status


async def test_a_project_goes_with_what_holds_nothing_but_not_with_an_image(
    client: Client, registry: Registry, database: Database
) -> None:
    await make_project(database, "secret")
    async with database.connection() as connection:
        project = await projects.get(connection, "secret")
    body = await steps.push_image(client, "latest", repository=SECRET)
    await steps.begin(client, SECRET)
    assert await registry.repository_count("secret") == 1
    with pytest.raises(ProjectNotEmpty, match="contains repositories"):
        await registry.delete_project(project)
    url = f"/v2/{SECRET}/manifests/{steps.digest(body)}"
    assert (await ask(client, "DELETE", url)).status == 202
    assert await registry.repository_count("secret") == 0
    await registry.delete_project(project)
    assert (await ask(client, "GET", f"/v2/{SECRET}/tags/list")).status == 404
    assert await registry.visibility(SECRET) is None
