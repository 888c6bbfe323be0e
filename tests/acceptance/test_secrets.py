"""Secrets leave no trace: not in logs, output, arguments, Valkey, nor in clear on the disk."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import aiohttp
import pytest
import redis

from jobservice.supervisor import embedded_valkey
from tests.acceptance import house as acceptance
from tests.acceptance import running
from tests.acceptance.house import Api, House
from tests.fakes.registry.authentication import Door
from tests.fakes.registry.server import FakeRegistry

ENDPOINT_PASSWORD = "sentinel-endpoint-s3cret"
WRONG_PASSWORD = "sentinel-wrong-s3cret"
KEY = base64.b64encode(b"sentinel key, thirty-two bytes!!").decode()
# Its owner's, mode 0600, and there to hold it.
KEPT = ("postgres/password", "admin-password", "key")


def forms(secret: str) -> dict[bytes, str]:
    """How a secret would look in a log or a header."""
    pair = base64.b64encode(f"admin:{secret}".encode())
    return {secret.encode(): secret, pair.rstrip(b"="): f"{secret} in a Basic header"}


def traces(texts: Mapping[str, bytes], secrets: Mapping[bytes, str]) -> list[str]:
    """Where a secret shows."""
    return [
        f"{where} holds {name}"
        for where, text in texts.items()
        for form, name in secrets.items()
        if form in text
    ]


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """What stands on the disk, Postgres's own files and its write-ahead log too."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.endswith(KEPT):
            yield name, path.read_bytes()


def arguments(pid: int) -> Iterator[tuple[str, bytes]]:
    """What everybody on the machine may read about our processes."""
    for each in (pid, *running.descendants(pid)):
        yield f"arguments of process {each}", Path(f"/proc/{each}/cmdline").read_bytes()


def doorbell(data: Path) -> Iterator[tuple[str, bytes]]:
    """Every value in Valkey, whatever its type."""
    server = embedded_valkey.EmbeddedValkey(folder=data / "valkey")
    with redis.Redis.from_url(server.dsn()) as client:
        assert client.ping()
        for key in client.scan_iter():
            yield f"Valkey's {key!r}", key + (client.dump(key) or b"")


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    door = Door(scheme="bearer", username="admin", password=ENDPOINT_PASSWORD)
    async with FakeRegistry(door=door) as opened:
        opened.repository("apps/web").put_image("1.0")
        yield opened


async def test_secrets_leave_no_trace(
    short_folder: Path, registry: FakeRegistry, session: aiohttp.ClientSession
) -> None:
    house = House(folder=short_folder, environment={"TRANSSHIP_SECRET_KEY": KEY})
    house.start()
    assert house.process is not None
    try:
        told = await use(house, Api(house.url, session), registry)
        found = dict(arguments(house.process.pid)) | dict(doorbell(short_folder / "data"))
        database_password = (short_folder / "data/postgres/password").read_text().strip()
    finally:
        told_by_up = stop(house)
    secrets = [acceptance.PASSWORD, ENDPOINT_PASSWORD, WRONG_PASSWORD, KEY, database_password]
    secrets += registry.door.tokens
    sought = {form: name for secret in secrets for form, name in forms(secret).items()}
    assert traces({"what commands said": told, "stdout of up": told_by_up}, sought) == []
    assert traces(found, sought) == []
    on_disk = dict(files(short_folder))
    assert traces(on_disk, sought) == []
    assert traces(on_disk, {registry.url.encode(): "what is no secret"}) != []


async def use(house: House, api: Api, registry: FakeRegistry) -> bytes:
    """Log in rightly and wrongly, replicate, fail for want of a password; return what was said."""
    credential = {"type": "basic", "access_key": "admin", "access_secret": ENDPOINT_PASSWORD}
    body = {"name": "sealed", "type": "docker-registry", "url": registry.url}
    made = await api.post("/registries", body | {"credential": credential})
    wrong = credential | {"access_secret": WRONG_PASSWORD}
    refused = await api.post("/registries", body | {"name": "wrong", "credential": wrong})
    policy = await api.policy("sealed", source=made.id, filters=acceptance.names("apps/**"))
    said = [str(refused.body), str(await api.get(f"/registries/{made.id}"))]
    ended = await api.ended(await api.start(policy))
    assert ended["status"] == "Succeed", ended
    assert registry.door.tokens
    registry.door.password = "changed"
    for token in registry.door.tokens:
        registry.door.tokens[token] = frozenset()
    failed = await api.ended(await api.start(policy))
    assert failed["status"] == "Failed", failed
    for command in (
        ("remote", "show", "sealed"),
        ("remote", "ping", "sealed"),
        ("policy", "show", "sealed", "--json"),
        ("execution", "show", str(failed["id"])),
        ("login", house.url, "--username", "admin", "--password-stdin"),
    ):
        ran = await asyncio.to_thread(house.run, *command, stdin=f"{WRONG_PASSWORD}\n")
        said += [ran.stdout, ran.stderr]
    return "\n".join(said).encode()


def stop(house: House) -> bytes:
    """End it; return the rest of its standard output."""
    assert house.process is not None
    assert house.process.stdout is not None
    output = os.dup(house.process.stdout.fileno())
    assert house.stop() == 0
    with os.fdopen(output, "rb") as stream:
        return stream.read()
