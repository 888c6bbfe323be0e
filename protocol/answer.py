"""What came back: status and headers at once, the body as it is read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Self

import aiohttp

from protocol import failures, guard
from protocol.request import Request

_LEFTOVER_BYTES = 64 * 1024


class Answer:
    """A response whose body is still to be read. Close it, or leave its `async with`."""

    __slots__ = ("_request", "_response", "headers", "reach", "status", "url")

    def __init__(
        self, request: Request, response: aiohttp.ClientResponse, reach: guard.Reach
    ) -> None:
        self._request = request
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self.url = request.url
        self.reach = reach

    def header_values(self, name: str) -> list[str]:
        """Return all values of a header that may come more than once."""
        return self._response.headers.getall(name, [])

    async def read(self, limit_bytes: int) -> bytes:
        """Return the body, cut off one byte after the limit; release the connection."""
        body = bytearray()
        try:
            async for chunk in self.chunks():
                body += chunk
                if len(body) > limit_bytes:
                    self.close()
                    return bytes(body[: limit_bytes + 1])
        except BaseException:
            self.close()
            raise
        self._response.release()
        return bytes(body)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body piece by piece as it comes; raise Unreachable when it breaks."""
        content = self._response.content
        try:
            # Piece by piece as it arrived: `readany` would copy what has gathered into one.
            while not content.at_eof():
                chunk, _ = await content.readchunk()
                if chunk:
                    yield chunk
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise failures.broken_body(error, self._request) from error

    async def finish(self) -> None:
        """Give the connection back for the next request if little is left to read."""
        await self.read(_LEFTOVER_BYTES)

    def close(self) -> None:
        """Drop the connection unless the body was read whole."""
        self._response.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()
