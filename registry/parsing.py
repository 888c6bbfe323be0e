"""Reading manifests beside the loop, when they are large."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from protocol.content import RawManifest
from registry import contents
from registry.contents import Contents

INLINE_BYTES: Final = 256 * 1024


class Parser:
    """One thread for the large manifests of a process: one after the other, each takes much memory.

    One of 8 MiB takes up to 50 MiB.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="manifests")

    async def read(self, raw: RawManifest) -> Contents:
        """Return what a manifest needs; raise InvalidManifest, or ManifestTooLarge."""
        if len(raw.body) <= INLINE_BYTES:
            return contents.read(raw)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, contents.read, raw)
