"""Who is asked before a request goes to a registry, where somebody counts them."""

from __future__ import annotations

from typing import Protocol


class Gate(Protocol):
    """Lets requests pass at the rate that a registry may be asked at."""

    async def admit(self) -> None:
        """Return when one more request may be sent."""
        ...
