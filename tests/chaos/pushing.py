"""Clients that push images as docker does, begin again when the registry dies, and keep a ledger.

What a client was told is there (201, or 200 to a HEAD) has to be there at the end.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from aiohttp import encode_basic_auth

from protocol import media_types
from protocol.digest import Digest
from tests.acceptance.house import PASSWORD

PUSHERS: Final = 32
REPOSITORIES: Final = 8
SHARED_LAYERS: Final = 10
LARGE_EVERY: Final = 25
# Large enough to be uploaded to S3 in parts.
IN_PARTS_EVERY: Final = 100
GIVE_UP_SECONDS: Final = 120.0
HEADERS: Final = {"Authorization": encode_basic_auth("admin", PASSWORD)}


@dataclass(frozen=True, slots=True)
class Image:
    """One image; its bytes follow from its number and are made anew when asked for."""

    number: int

    @property
    def repository(self) -> str:
        return f"library/crash-{self.number % REPOSITORIES}"

    @property
    def tag(self) -> str:
        return f"n{self.number}"

    def blobs(self) -> tuple[bytes, ...]:
        """Return config, a layer of its own, and one that others have, too."""
        chance = random.Random(self.number)  # noqa: S311 - content, not secrets
        if self.number % IN_PARTS_EVERY == 0:
            size = chance.randint(9 * 2**20, 10 * 2**20)
        elif self.number % LARGE_EVERY == 0:
            size = chance.randint(2**20, 3 * 2**20)
        else:
            size = chance.randint(100, 2**16)
        shared = random.Random(-1 - chance.randrange(SHARED_LAYERS))  # noqa: S311 - as above
        config = json.dumps({"number": self.number}).encode()
        return config, chance.randbytes(size), shared.randbytes(2**17)

    def manifest(self) -> bytes:
        config, *layers = (
            {"mediaType": kind, "digest": str(Digest.of(blob)), "size": len(blob)}
            for kind, blob in zip(_KINDS, self.blobs(), strict=True)
        )
        body = {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST}
        return json.dumps({**body, "config": config, "layers": layers}).encode()


_KINDS = (media_types.OCI_CONFIG, media_types.OCI_LAYER, media_types.OCI_LAYER)


class Interrupted(Exception):
    """The registry died, or was dying: the push begins again."""


@dataclass(slots=True)
class Ledger:
    """What clients were told is there, and how many requests they made."""

    blobs: set[tuple[str, str]] = field(default_factory=set)
    images: set[Image] = field(default_factory=set)
    interrupted: int = 0
    requests: int = 0
    _awaited: list[tuple[int, asyncio.Event]] = field(default_factory=list)

    def note_request(self) -> None:
        self.requests += 1
        for count, event in self._awaited:
            if self.requests >= count:
                event.set()

    async def after(self, more: int) -> None:
        """Return when so many more requests have begun."""
        event = asyncio.Event()
        self._awaited.append((self.requests + more, event))
        await event.wait()


@dataclass(slots=True)
class Crowd:
    """Many clients at once; `up` is set while there is a registry to talk to."""

    url: str
    session: aiohttp.ClientSession
    ledger: Ledger = field(default_factory=Ledger)
    up: asyncio.Event = field(default_factory=asyncio.Event)

    async def push(self, count: int) -> None:
        """Push so many images, each until it is acknowledged."""
        numbers = itertools.count()
        async with asyncio.TaskGroup() as group:
            for _ in range(PUSHERS):
                group.create_task(self._pusher(numbers, count))

    async def _pusher(self, numbers: Iterator[int], count: int) -> None:
        while (number := next(numbers)) < count:
            image = Image(number)
            async with asyncio.timeout(GIVE_UP_SECONDS):
                while image not in self.ledger.images:
                    await self.up.wait()
                    try:
                        await self._push(image)
                    except Interrupted:
                        self.ledger.interrupted += 1

    async def _push(self, image: Image) -> None:
        for blob in image.blobs():
            await self._push_blob(image.repository, blob)
        path = f"/v2/{image.repository}/manifests/{image.tag}"
        status, _ = await self._send(
            "PUT", path, image.manifest(), {"Content-Type": media_types.OCI_MANIFEST}
        )
        assert status == 201, (status, path)
        self.ledger.images.add(image)

    async def _push_blob(self, repository: str, blob: bytes) -> None:
        digest = str(Digest.of(blob))
        status, _ = await self._send("HEAD", f"/v2/{repository}/blobs/{digest}")
        if status != 200:
            status, place = await self._send("POST", f"/v2/{repository}/blobs/uploads/")
            assert status == 202, status
            half = len(blob) // 2
            status, place = await self._send("PATCH", place, blob[:half])
            assert status == 202, status
            status, _ = await self._send("PUT", f"{place}?digest={digest}", blob[half:])
            assert status == 201, status
        self.ledger.blobs.add((repository, digest))

    async def _send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, str]:
        self.ledger.note_request()
        sent = None if body is None else io.BytesIO(body)
        try:
            async with self.session.request(
                method, self.url + path, data=sent, headers={**HEADERS, **(headers or {})}
            ) as answer:
                await answer.read()
        except (aiohttp.ClientError, OSError) as error:
            raise Interrupted from error
        if answer.status >= 500:
            raise Interrupted
        return answer.status, answer.headers.get("Location", "")

    async def pulled_wrong(self) -> list[str]:
        """Pull everything that was acknowledged; return what is not as it was pushed."""
        wrong: list[str] = []
        images, blobs = iter(sorted(self.ledger.images, key=_number)), iter(self.ledger.blobs)

        async def look() -> None:
            for image in images:
                body = await self._get(f"/v2/{image.repository}/manifests/{image.tag}")
                if body != image.manifest():
                    wrong.append(f"{image.repository}:{image.tag}")
            for repository, digest in blobs:
                body = await self._get(f"/v2/{repository}/blobs/{digest}")
                if str(Digest.of(body)) != digest:
                    wrong.append(f"{repository}@{digest}")

        async with asyncio.TaskGroup() as group:
            for _ in range(PUSHERS):
                group.create_task(look())
        return wrong

    async def _get(self, path: str) -> bytes:
        async with self.session.get(self.url + path, headers=HEADERS) as answer:
            return await answer.read()


def _number(image: Image) -> int:
    return image.number
