"""Somebody who may push to one project, and not read another, takes nothing out of the other."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import encode_basic_auth
from aiohttp.test_utils import TestClient, TestServer
from typing_extensions import override

from access import projects, users
from access.authorisation import Action
from access.identity import Principal
from database.pool import Database
from registry.repository import LocalRepository
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from tests.integration.registry import steps
from tests.integration.registry.conftest import PASSWORD
from tests.integration.registry.steps import REPOSITORY, Client, ask

TEAM, SECRET = "team/app", "secret/app"
BLOB = b"only in one place"


class TeamRepository(LocalRepository):
    """Everybody may do everything in `team`, as a role will let its members; elsewhere no more."""

    @override
    async def require(self, action: Action) -> None:
        if not self.repository.startswith("team/"):
            await super().require(action)


class TeamRegistry(Registry):
    """This registry with a right that nobody can be given yet."""

    @override
    def repository(self, name: str, principal: Principal) -> LocalRepository:
        return TeamRepository(self._means, name, principal)


@pytest.fixture
def registry(database: Database, storage: FilesystemStorage) -> Registry:
    return TeamRegistry(database, storage)


@pytest.fixture
async def member(server: TestServer, database: Database) -> AsyncIterator[Client]:
    async with database.connection() as connection:
        for name in ("team", "secret"):
            await projects.create(connection, name=name, public=False)
    await users.create(database, username="member", password=PASSWORD)
    headers = {"Authorization": encode_basic_auth("member", PASSWORD)}
    client: Client = TestClient(server, headers=headers)
    yield client
    await client.session.close()


def mount(digest: str, source: str) -> str:
    return f"/v2/{TEAM}/blobs/uploads/?mount={digest}&{source}"


@pytest.mark.parametrize("source", [f"from={SECRET}", "", "from=absent/app"])
async def test_a_mount_from_what_may_not_be_read_opens_an_upload_and_brings_nothing(
    client: Client, member: Client, source: str
) -> None:
    digest = await steps.push_blob(client, BLOB, repository=SECRET)
    assert (await ask(member, "HEAD", f"/v2/{SECRET}/blobs/{digest}")).status == 401
    opened = await ask(member, "POST", mount(digest, source))
    assert opened.status == 202
    assert (await ask(member, "HEAD", f"/v2/{TEAM}/blobs/{digest}")).status == 404
    location = f"{opened.headers['Location']}?digest={digest}"
    assert (await ask(member, "PUT", location, BLOB)).status == 201
    assert (await ask(member, "GET", f"/v2/{TEAM}/blobs/{digest}")).body == BLOB


async def test_a_mount_from_what_everybody_reads_brings_the_blob(
    client: Client, member: Client
) -> None:
    digest = await steps.push_blob(client, BLOB, repository=REPOSITORY)
    mounted = await ask(member, "POST", mount(digest, f"from={REPOSITORY}"))
    assert mounted.status == 201
    assert (await ask(member, "GET", f"/v2/{TEAM}/blobs/{digest}")).body == BLOB
