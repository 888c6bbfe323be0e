"""Whether this registry takes changes, and more bytes, right now."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

from database.pool import Database
from protocol.errors import RegistryError
from registry.errors import refusal
from registry.metadata import switches
from registry.portions import Portions
from registry.reserve import Reserve
from registry.storage.driver import Room, Storage

READ_ONLY: Final = "read_only"
# Harbor's words; docker prints them.
READ_ONLY_MESSAGE: Final = "The system is in read only mode. Any modification is prohibited."
SWITCH_SECONDS: Final = 2.0  # how old a switch's position may be: it takes hold everywhere in 5 s
ROOM_SECONDS: Final = 1.0


@dataclass(slots=True, kw_only=True)
class Admission:
    """What one process knows of the switches and of the room, none of it older than seconds.

    `portions`: how much each upload may gather, among all of them.
    """

    database: Database
    storage: Storage
    reserve: Reserve = field(default_factory=Reserve)
    portions: Portions = field(default_factory=Portions)
    _read_only: bool = False
    _read_only_until: float = field(default=0.0)
    _room: Room | None = None
    _room_until: float = field(default=0.0)

    async def is_read_only(self) -> bool:
        """Say whether somebody has forbidden all changes of content."""
        now = time.monotonic()
        if now >= self._read_only_until:
            async with self.database.connection() as connection:
                self._read_only = await switches.is_on(connection, READ_ONLY)
            self._read_only_until = now + SWITCH_SECONDS
        return self._read_only

    def forget(self) -> None:
        """Look again at once: a switch was turned here."""
        self._read_only_until = 0.0

    async def room(self) -> Room | None:
        """Return how much room there is."""
        now = time.monotonic()
        if now >= self._room_until:
            self._room = await self.storage.room()
            self._room_until = now + ROOM_SECONDS
        return self._room

    async def shortage(self) -> str:
        """Say why no more bytes are taken; nothing while they are."""
        return self.reserve.shortage(await self.room())

    async def want_change(self, operation: str, repository: str) -> None:
        """Return if content may change; raise a refusal DENIED."""
        if await self.is_read_only():
            raise _denied(READ_ONLY_MESSAGE, operation, repository)

    async def want_bytes(self, operation: str, repository: str) -> None:
        """Return if there is room for more; raise a refusal DENIED."""
        if shortage := await self.shortage():
            raise _denied(shortage, operation, repository)


def _denied(message: str, operation: str, repository: str) -> RegistryError:
    return refusal("DENIED", message, operation=operation, repository=repository)
