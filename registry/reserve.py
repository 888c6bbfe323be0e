"""How much of a storage stays free, so that pulls, deletes and a database beside it go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from registry.storage.driver import Room

_GIBIBYTE: Final = 1024**3
_WARN_AT: Final = 2  # times the reserve


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """The larger of a share of the whole and a number of bytes; nothing unless said."""

    percent: int = 0
    least_bytes: int = 0

    def wanted_bytes(self, room: Room) -> int:
        """Return how much stays free."""
        return max(room.total_bytes * self.percent // 100, self.least_bytes)

    def shortage(self, room: Room | None) -> str:
        """Say why no more bytes are taken; nothing while they are."""
        if room is None or room.free_bytes >= self.wanted_bytes(room):
            return ""
        return f"storage full: {self._figures(room)}"

    def warning(self, room: Room | None) -> str:
        """Say that the storage is full or soon will be; nothing while there is plenty."""
        if room is None or room.free_bytes >= _WARN_AT * self.wanted_bytes(room):
            return ""
        return self.shortage(room) or f"the storage is nearly full: {self._figures(room)}"

    def _figures(self, room: Room) -> str:
        free, total, wanted = (
            f"{count / _GIBIBYTE:.1f} GiB"
            for count in (room.free_bytes, room.total_bytes, self.wanted_bytes(room))
        )
        return f"{free} of {total} are free, beneath {wanted} nothing more is taken"
