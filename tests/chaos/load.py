"""Work to do while things break: real blobs, from a real registry to a receiver and to this one."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from jobservice.demo import peers
from jobservice.demo.peers import Peer
from protocol import media_types
from tests.acceptance.house import Api, policy
from tests.chaos.house import House
from tests.chaos.receiver import HOOK, Receiver

REPOSITORIES = 5
TAGS = 20
ARTIFACTS = REPOSITORIES * TAGS
LAYER_BYTES = (1_000, 4_000, 16_000, 64_000)
LOCAL_EVERY = 3
UNFINISHED = """
SELECT count(*) FROM jobservice.executions
WHERE ended_at IS NULL AND vendor_type = 'replication'
"""
LOOK_SECONDS = 0.25
# What callers of a house see while it breaks.
WEATHER = (
    OSError,
    TimeoutError,
    AssertionError,
    aiohttp.ClientError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


@asynccontextmanager
async def source(folder: Path, *, seed: int) -> AsyncIterator[Peer]:
    """Run a registry with content: docker-registry, or an instance of this one."""
    program = peers.docker_registry()
    running = peers.debian(folder, program) if program else peers.instance(folder)
    async with running as peer, aiohttp.ClientSession() as session:
        await _fill(session, peer, random.Random(seed))  # noqa: S311 - content, not secrets
        yield peer


async def _fill(session: aiohttp.ClientSession, peer: Peer, chance: random.Random) -> None:
    shared = chance.randbytes(LAYER_BYTES[-1])
    for number in range(REPOSITORIES):
        repository = f"library/app{number}"
        await _blob(session, peer, repository, shared)
        for tag in range(TAGS):
            own = chance.randbytes(chance.choice(LAYER_BYTES))
            await _blob(session, peer, repository, own)
            config = json.dumps({"tag": tag, "app": number}).encode()
            await _blob(session, peer, repository, config)
            body = json.dumps(
                {
                    "schemaVersion": 2,
                    "mediaType": media_types.OCI_MANIFEST,
                    "config": _descriptor(config, media_types.OCI_CONFIG),
                    "layers": [
                        _descriptor(layer, media_types.OCI_LAYER) for layer in (shared, own)
                    ],
                }
            ).encode()
            url = f"{peer.url}/v2/{repository}/manifests/{tag}"
            headers = {"Content-Type": media_types.OCI_MANIFEST, **_login(peer)}
            async with session.put(url, data=body, headers=headers) as answer:
                assert answer.status == 201, await answer.text()


async def _blob(session: aiohttp.ClientSession, peer: Peer, repository: str, body: bytes) -> None:
    start = f"{peer.url}/v2/{repository}/blobs/uploads/"
    async with session.post(start, headers=_login(peer)) as answer:
        assert answer.status == 202, await answer.text()
        location = answer.headers["Location"]
    where = location if location.startswith("http") else peer.url + location
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    url = f"{where}{'&' if '?' in where else '?'}digest={digest}"
    headers = {"Content-Type": "application/octet-stream", **_login(peer)}
    async with session.put(url, data=body, headers=headers) as answer:
        assert answer.status == 201, await answer.text()


def _descriptor(body: bytes, media_type: str) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    return {"mediaType": media_type, "digest": digest, "size": len(body)}


def _login(peer: Peer) -> dict[str, str]:
    if peer.credential is None:
        return {}
    pair = peer.credential
    return {"Authorization": aiohttp.encode_basic_auth(pair.username, pair.password)}


@dataclass(slots=True, kw_only=True)
class Load:
    """Starts executions through the API; remembers those that were accepted."""

    house: House
    session: aiohttp.ClientSession
    source_id: int
    receiver_id: int
    started: int = 0
    accepted: list[int] = field(default_factory=list)

    @property
    def api(self) -> Api:
        return Api(self.house.url, self.session)

    async def start(self) -> None:
        """Start one execution of `ARTIFACTS` tasks; every third one ends in this registry."""
        self.started += 1
        number = self.started
        destination = self.receiver_id if number % LOCAL_EVERY else 0
        filters = [{"type": "name", "value": "library/app*"}]
        body = policy(
            f"chaos-{number}",
            dest_namespace=f"library/{self.house.folder.name}{number}",
            filters=filters,
        )
        body |= {
            "src_registry": {"id": self.source_id},
            "dest_registry": {"id": destination},
            "dest_namespace_replace_count": 1,
        }
        made = await self.api.post("/replication/policies", body)
        if made.status == 201:
            started = await self.api.post("/replication/executions", {"policy_id": made.id})
            if started.status == 201:
                self.accepted.append(started.id)

    async def keep(self, backlog: int, stop: asyncio.Event) -> None:
        """Keep so many executions unfinished until told to stop; whatever breaks meanwhile."""
        while not stop.is_set():
            with suppress(*WEATHER):
                if await self._unfinished() < backlog:
                    await self.start()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await stop.wait()

    async def _unfinished(self) -> int:
        async with asyncio.timeout(5):
            connection = await self.house.connect()
            try:
                return int(await connection.fetchval(UNFINISHED))
            finally:
                await connection.close()


@asynccontextmanager
async def against(house: House, peer: Peer, receiver: Receiver) -> AsyncIterator[Load]:
    """Make both registries known to a house, and who is told of every task that ends."""
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        api = Api(house.url, session)
        fields: dict[str, Any] = {"name": "source", "type": "docker-registry", "url": peer.url}
        if peer.credential is not None:
            fields["credential"] = {
                "type": "basic",
                "access_key": peer.credential.username,
                "access_secret": peer.credential.password,
            }
        source_id = (await api.post("/registries", fields)).id
        receiver_id = await api.endpoint("receiver", receiver)
        hook = {
            "name": "receiver",
            "event_types": ["REPLICATION"],
            "targets": [{"type": "http", "address": receiver.url + HOOK}],
            "enabled": True,
            "transship": {"per_task": True},
        }
        made = await api.post("/system/webhook/policies", hook)
        assert made.status == 201, made
        yield Load(house=house, session=session, source_id=source_id, receiver_id=receiver_id)
