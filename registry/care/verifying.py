"""`transship storage verify`: rows against objects, digests against bytes, manifests against links.

It works while everything serves: what seems wrong is looked at again before it is told, and what a
push or a removal under way explains is none of its business.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from database.pool import Database
from registry.care import manifest_faults
from registry.care.fault import Fault, Finding, Seen
from registry.care.object_audit import ObjectAudit
from registry.metadata import uploads, verification
from registry.storage.driver import Storage

SAFE_AGE: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How thorough to be, and whether to mend what can be mended without losing anything.

    `quick` compares sizes and hashes nothing; what is younger than `safe_age` is nobody's leftover.
    """

    quick: bool = False
    repair: bool = False
    safe_age: timedelta = SAFE_AGE


class Verification:
    """One audit; `seen` is how far it is."""

    def __init__(self, database: Database, storage: Storage, wish: Wish) -> None:
        self.seen = Seen()
        self._database = database
        self._storage = storage
        self._wish = wish
        self._oldest_young = datetime.now(UTC) - wish.safe_age

    async def run(self) -> AsyncIterator[Finding | None]:
        """Yield what is wrong as it is found; None now and then, when there was progress."""
        objects = ObjectAudit(
            self._database,
            self._storage,
            self.seen,
            hashes=not self._wish.quick,
            repairs=self._wish.repair,
            old=self._oldest_young,
        )
        async for step in objects.run():
            yield step
        async for step in self._manifests():
            yield step
        async for step in self._partials():
            yield step

    async def _manifests(self) -> AsyncIterator[Finding | None]:
        after = 0
        while True:
            async with self._database.connection() as connection:
                page = await verification.manifests(connection, after)
            if not page:
                return
            for manifest in page:
                for finding in manifest_faults.of(manifest, hashes=not self._wish.quick):
                    yield self.seen.note(finding)
            self.seen.manifests += len(page)
            after = page[-1].id
            yield None

    async def _partials(self) -> AsyncIterator[Finding | None]:
        async for page in self._storage.partials():
            self.seen.partials += len(page)
            old = [one for one in page if one.touched_at < self._oldest_young]
            async with self._database.connection() as connection:
                known = await uploads.known(connection, [one.name for one in old])
            for one in old:
                if one.name in known:
                    continue
                if self._wish.repair:
                    await self._storage.delete_partial(one)
                yield self.seen.note(
                    Finding(
                        fault=Fault.ABANDONED,
                        subject=str(one.name),
                        reason=f"of no upload, and untouched since {one.touched_at:%F %T} UTC",
                        is_repaired=self._wish.repair,
                    )
                )
            yield None
