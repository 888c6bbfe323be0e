"""Long texts, made before they are sent or while they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from jobservice.api import streaming

DEADLINE_SECONDS = 60
Send = Callable[..., Awaitable[web.StreamResponse]]


def served(
    send: Send, pieces: AsyncGenerator[str, None]
) -> TestClient[web.Request, web.Application]:
    async def answer(request: web.Request) -> web.StreamResponse:
        return await send(request, pieces, content_type="text/plain")

    app = web.Application()
    app.router.add_get("/", answer)
    return TestClient(TestServer(app))


async def test_what_breaks_off_while_it_is_sent_ends_with_its_connection() -> None:
    async def pieces() -> AsyncGenerator[str, None]:
        yield "a beginning"
        raise OSError("the database went away")

    async with served(streaming.text, pieces()) as client:
        with pytest.raises(aiohttp.ClientError):
            async with client.get("/") as response:
                await response.text()


@pytest.mark.parametrize("send", [streaming.text, streaming.whole_text])
async def test_for_a_client_that_leaves_no_more_is_made(send: Send) -> None:
    begun, left, closed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def endless() -> AsyncGenerator[str, None]:
        try:
            yield "a beginning"
            begun.set()
            await left.wait()
            while True:
                await asyncio.sleep(0)
                yield "more" * 100
        finally:
            closed.set()

    async with served(send, endless()) as client:
        asking = asyncio.ensure_future(client.get("/"))
        async with asyncio.timeout(DEADLINE_SECONDS):
            await begun.wait()
        asking.cancel()
        await client.session.close()
        left.set()
        async with asyncio.timeout(DEADLINE_SECONDS):
            await closed.wait()
