"""Requests through a proxy, over real sockets: believed from where it is said to be, else not."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import encode_basic_auth, web
from aiohttp.test_utils import TestClient, TestServer

from database.pool import Database
from jobservice.api import application, forwarding
from jobservice.api.services import Services
from jobservice.domain.forwarded import Network
from tests.integration.jobservice.api.caller import PASSWORD

Client = TestClient[web.Request, web.Application]
ADMIN = {"Authorization": encode_basic_auth("admin", PASSWORD)}
HERE: Network = ip_network("127.0.0.0/8")
ELSEWHERE: Network = ip_network("192.0.2.0/24")
TOLD = {
    "X-Forwarded-For": "198.51.100.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "r.example",
}


@asynccontextmanager
async def served(services: Services, trusted: Sequence[Network]) -> AsyncIterator[Client]:
    app = web.Application(middlewares=[forwarding.middleware(trusted)])
    application.add_routes(app, services)
    app.router.add_put("/echo", echo)
    async with TestClient(TestServer(app)) as client:
        yield client


async def echo(request: web.Request) -> web.Response:
    return web.json_response(
        {
            "remote": request.remote,
            "origin": str(request.url.origin()),
            "body": (await request.content.read()).decode(),
        }
    )


@pytest.fixture
def own_address(services: Services) -> Services:
    """A service without an external URL shows the address that it was asked at."""
    told = dataclasses.replace(services.installation, external_url="")
    return dataclasses.replace(services, installation=told)


async def asked(client: Client, path: str) -> Any:
    async with client.get(path, headers={**ADMIN, **TOLD}) as answer:
        assert answer.status == 200
        return await answer.json()


async def acted_from(client: Client, database: Database, name: str) -> str:
    """Do something that is audited; return the address that it came from."""
    body = {"project_name": name}
    async with client.post("/api/v2.0/projects", json=body, headers={**ADMIN, **TOLD}) as answer:
        assert answer.status == 201
    async with database.connection() as connection:
        return str(
            await connection.fetchval(
                "SELECT address FROM access.audit_log WHERE resource = $1", name
            )
        )


async def test_a_trusted_proxy_is_believed_in_absolute_addresses_and_in_the_audit_log(
    own_address: Services, database: Database
) -> None:
    async with served(own_address, [ELSEWHERE, HERE]) as client:
        info = await asked(client, "/api/v2.0/systeminfo")
        assert info["external_url"] == "https://r.example"
        assert await acted_from(client, database, "trusted") == "198.51.100.7"


async def test_spoofed_headers_from_elsewhere_change_nothing(
    own_address: Services, database: Database
) -> None:
    async with served(own_address, [ELSEWHERE]) as client:
        info = await asked(client, "/api/v2.0/systeminfo")
        assert info["external_url"] == f"http://127.0.0.1:{client.port}"
        assert await acted_from(client, database, "spoofed") == "127.0.0.1"


async def test_a_body_arrives_through_a_proxy(services: Services) -> None:
    async with served(services, [HERE]) as client:
        async with client.put("/echo", data=b"x" * 300_000, headers=TOLD) as answer:
            told = await answer.json()
        assert (told["remote"], told["origin"]) == ("198.51.100.7", "https://r.example")
        assert len(told["body"]) == 300_000
