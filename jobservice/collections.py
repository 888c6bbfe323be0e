"""Garbage collections: started, scheduled, foretold, and what can be had back of what went."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final, cast

from access.audit import Event
from database.pool import Connection, Database
from jobservice.domain.collection import VENDOR_TYPE, CollectionParameters, Deleted, Refusal
from jobservice.domain.listing import Listing, Rows
from jobservice.domain.sums import Sums
from jobservice.errors import InvalidRequest, ReadOnly
from jobservice.store import deleted as deleted_rows
from jobservice.store import refusals
from jobservice.upkeep import Parameters, Upkeep
from protocol.digest import Digest
from protocol.errors import InvalidInput, Rejected
from registry.admission import READ_ONLY
from registry.collection import forecasting, restorable, undeleting
from registry.collection.restorable import State
from registry.collection.reviewing import Scope
from registry.collection.undeleting import Undeleted
from registry.metadata import switches
from registry.metadata.forecast import Candidate
from registry.metadata.reclaimable import Totals
from registry.parsing import Parser

REFUSALS_TOLD: Final = 100


async def _want_changes(connection: Connection, parameters: Parameters) -> None:
    """Raise ReadOnly where a run would write and nothing may be written."""
    asked = CollectionParameters.of(parameters)
    if not asked.dry_run and await switches.is_on(connection, READ_ONLY):
        raise ReadOnly("no garbage is collected")


COLLECTIONS = Upkeep(
    vendor_type=VENDOR_TYPE,
    noun="garbage collection",
    started=Event.START_COLLECTION,
    admit=_want_changes,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a run would take; the sums are whole once every page was read."""

    totals: Totals
    refusals: Sequence[Refusal]
    candidates: AsyncIterator[Sequence[Candidate]]
    by_repository: Sums = field(default_factory=Sums)
    by_reason: Sums = field(default_factory=Sums)

    async def pages(self) -> AsyncGenerator[Sequence[Candidate], None]:
        """Yield the candidates, page by page, and add them up; to be closed after the last."""
        async with aclosing(
            cast("AsyncGenerator[Sequence[Candidate], None]", self.candidates)
        ) as all_:
            async for page in all_:
                for candidate in page:
                    self.by_repository.add(candidate.repository, candidate.bytes)
                    self.by_reason.add(candidate.reason, candidate.bytes)
                yield page


async def forecast(database: Database, asked: CollectionParameters) -> Forecast:
    """Return what a run would take, to be read page by page; nothing is written."""
    scope = Scope(ignore_delay=asked.release_now, delete_untagged=asked.delete_untagged)
    async with database.connection() as connection:
        worst = await refusals.worst(connection, limit=REFUSALS_TOLD)
    return Forecast(
        totals=await forecasting.totals(database),
        refusals=worst,
        candidates=forecasting.forecast(database, scope),
    )


async def deleted(database: Database, listing: Listing) -> Rows[tuple[Deleted, State]]:
    """Return one page of what was deleted, each with what became of it since.

    Fields are named as in store.deleted.COLUMNS.
    """
    parser = Parser()
    async with database.transaction(isolation="repeatable_read") as connection:
        found = await deleted_rows.page(connection, listing)
        states = [
            await restorable.state(
                connection, parser, one.repository, Digest.parse(one.digest), tag=one.tag
            )
            for one in found.items
        ]
    return Rows(
        items=tuple(zip(found.items, states, strict=True)),
        total=found.total,
        before=found.before,
        after=found.after,
    )


async def undelete(database: Database, repository: str, reference: str, *, by: str) -> Undeleted:
    """Put back a manifest by a tag or digest; raise UndeleteError, ReadOnly, InvalidRequest."""
    async with database.connection() as connection:
        if await switches.is_on(connection, READ_ONLY):
            raise ReadOnly("nothing is put back")
    try:
        return await undeleting.undelete(database, repository, reference, by=by)
    except (InvalidInput, Rejected) as refused:
        raise InvalidRequest([f"{repository}, {reference}: {refused}"]) from refused
