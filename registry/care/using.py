"""`transship storage usage`: who takes how much room, and how much there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from database.pool import Database
from registry.metadata import usage
from registry.metadata.usage import Total, Usage
from registry.storage.driver import Room, Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The largest come first; `total` is of the whole registry, `room` None without a limit."""

    projects: Sequence[Usage]
    repositories: Sequence[Usage]
    total: Total
    room: Room | None


async def report(database: Database, storage: Storage, *, project: str = "") -> Report:
    """Return what each project and repository takes; of one project alone if it is named."""
    async with database.connection() as connection:
        projects = await usage.by_project(connection)
        repositories = await usage.by_repository(connection)
        total = await usage.total(connection)
    return Report(
        projects=[one for one in projects if project in {"", one.name}],
        repositories=[
            one for one in repositories if not project or one.name.startswith(f"{project}/")
        ],
        total=total,
        room=await storage.room(),
    )
