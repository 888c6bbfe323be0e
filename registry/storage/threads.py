"""Work in threads, which cannot be stopped."""

from __future__ import annotations

import asyncio


async def finished(future: asyncio.Future[None]) -> None:
    """Wait to the end, whatever happens to the waiter."""
    try:
        await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        raise
