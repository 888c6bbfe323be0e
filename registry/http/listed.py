"""A list on its way to a client: a long one waits on disk, slow readers take little memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Final

from aiohttp import hdrs, web

from registry.http import pieces

SMALL_BYTES: Final = 256 * 1024
_PIECE_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Listed:
    """A list that is ready to be sent, once: bytes, or a file without a name."""

    content: bytes | IO[bytes]
    headers: Mapping[str, str]

    @classmethod
    def of(cls, body: bytes, headers: Mapping[str, str]) -> Listed:
        """Keep a list until its reader takes it."""
        if len(body) <= SMALL_BYTES:
            return cls(body, headers)
        file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 closed by `send`
        file.write(body)
        return cls(file, headers)

    async def send(self, request: web.Request, *, silence_seconds: float) -> web.StreamResponse:
        """Send it, as fast as it is taken; a HEAD gets its head."""
        if isinstance(self.content, bytes):
            return web.Response(body=self.content, headers=self.headers)
        with self.content as file:
            length_bytes = os.fstat(file.fileno()).st_size
            response = web.StreamResponse(headers=self.headers)
            await pieces.begin(
                request, response, length_bytes=length_bytes, silence_seconds=silence_seconds
            )
            if request.method != hdrs.METH_HEAD:
                for offset in range(0, length_bytes, _PIECE_BYTES):
                    await response.write(os.pread(file.fileno(), _PIECE_BYTES, offset))
        await response.write_eof()
        return response
