"""Restoring a backup: into an installation that is empty and stopped, or in the place of one.

Objects first, then the database in one transaction: until that commits, everything is as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from database import dumping, migrations, pool
from jobservice.errors import NotEmpty, StillRunning
from jobservice.store import holdings
from registry.care import backup_manifest, backup_place
from registry.care.backup_manifest import BackupManifest
from registry.care.restoring import ObjectRestore
from registry.metadata import backups


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a backup goes. `clients` finds PostgreSQL's programs for a major version."""

    dsn: str = field(repr=False)
    clients: Callable[[int], dumping.Programs]
    replace: bool = False


async def check(target: Target, manifest: BackupManifest) -> None:
    """Raise StillRunning, NotEmpty or NotRestorable; change nothing."""
    connection = await pool.connect_once(target.dsn, application_name="transship restore")
    try:
        others = await holdings.others(connection)
        held = await holdings.counts(connection)
        postgres = await holdings.postgres_major(connection)
    finally:
        await connection.close()
    if others:
        raise StillRunning(
            f"stop Transship first, a restore takes its database away: connected are "
            f"{', '.join(others)}"
        )
    if held and not target.replace:
        listed = ", ".join(f"{count} {name}" for name, count in held.items())
        raise NotEmpty(
            f"the database is not empty ({listed}): --replace puts the backup in the place of all "
            "that, for good"
        )
    newest = max(file.number for file in migrations.known())
    backup_manifest.check_versions(manifest, migration=newest, postgres=postgres)


async def restore(
    target: Target,
    folder: Path,
    manifest: BackupManifest,
    objects: ObjectRestore,
    tick: Callable[[], object],
) -> list[str]:
    """Restore objects, then the database; return the migrations that brought it up to date."""
    await objects.run(tick)
    programs = target.clients(manifest.postgres)
    await dumping.restore(
        programs,
        target.dsn,
        folder / backup_place.DATABASE,
        afterwards=backups.AFTER_RESTORE + holdings.AFTER_RESTORE,
    )
    return await migrations.apply(target.dsn)
