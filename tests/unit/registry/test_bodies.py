"""How bodies are received."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web

from registry.http.bodies import Bodies
from registry.portions import PIECE_BYTES, Portions

USUAL_BYTES = 256 * 1024


@dataclass
class Transport:
    """What matters here of a transport of asyncio's loop."""

    max_size: int = USUAL_BYTES


@dataclass
class Content:
    """A body in chunks; notes how much at once its transport would take when each is asked for."""

    transport: Any
    chunks: list[bytes] = field(default_factory=lambda: [b"one", b"two", b""])
    asked: list[int | None] = field(default_factory=list)

    async def readany(self) -> bytes:
        self.asked.append(getattr(self.transport, "max_size", None))
        return self.chunks.pop(0)


def request_of(content: Content) -> web.Request:
    return cast("web.Request", SimpleNamespace(content=content, transport=content.transport))


async def test_after_its_first_chunk_an_upload_is_received_in_large_pieces() -> None:
    content = Content(Transport())
    chunks = Bodies().chunks(request_of(content), Portions())
    assert b"".join([chunk async for chunk in chunks]) == b"onetwo"
    assert content.asked == [USUAL_BYTES, PIECE_BYTES, PIECE_BYTES]
    assert content.transport.max_size == USUAL_BYTES


@pytest.mark.parametrize("transport", [None, SimpleNamespace()], ids=["gone", "of another loop"])
async def test_a_transport_that_cannot_be_told_receives_as_it_does(transport: object) -> None:
    content = Content(transport)
    chunks = Bodies().chunks(request_of(content), Portions())
    assert b"".join([chunk async for chunk in chunks]) == b"onetwo"
    assert content.asked == [None, None, None]
