"""A TCP cable to a server, to be cut or to go dead.

A cut cable resets what runs through it and refuses what is new. A dead one carries nothing in
either direction and resets nothing: connections hang, also new ones, and what was sent meanwhile
arrives when it is alive again, as with dropped packets that are sent anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Dial = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
_CHUNK = 65536


class Cable:
    """`port` on loopback leads to what `dial` connects to; `refused` counts who met it cut."""

    def __init__(self, dial: Dial) -> None:
        self.port = 0
        self.refused = 0
        self._dial = dial
        self._is_cut = False
        self._alive = asyncio.Event()
        self._alive.set()
        self._ends: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Reset every connection and refuse new ones."""
        self._is_cut = True
        for end in list(self._ends):
            end.transport.abort()

    def die(self) -> None:
        """Carry nothing any more, without a word."""
        self._alive.clear()

    def mend(self) -> None:
        """Be whole again."""
        self._is_cut = False
        self._alive.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to its end."""
        if self._is_cut:
            self.refused += 1
            writer.transport.abort()
            return
        await self._alive.wait()
        try:
            there, back = await self._dial()
        except OSError:
            writer.transport.abort()
            return
        self._ends |= {writer, back}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._carry(reader, back))
                group.create_task(self._carry(there, writer))
        finally:
            self._ends -= {writer, back}

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(_CHUNK):
                await self._alive.wait()
                writer.write(chunk)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def laid(dial: Dial) -> AsyncIterator[Cable]:
    """Serve a cable."""
    cable = Cable(dial)
    server = await asyncio.start_server(cable.serve, "127.0.0.1", 0)
    cable.port = server.sockets[0].getsockname()[1]
    try:
        yield cable
    finally:
        server.close()
        cable.mend()
        cable.cut()
