"""`transship restore`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from config.settings import Settings
from database import sealing
from database.errors import WrongKey
from database.pool import Database
from database.sealing import Keyring
from jobservice import restoring
from jobservice.cli import installation, printing, process_settings
from jobservice.cli.errors import files_told
from jobservice.cli.exit_codes import ExitCode
from jobservice.cli.ticker import Ticker
from jobservice.restoring import Target
from jobservice.supervisor import household, programs
from jobservice.supervisor.household import Household
from registry.care import backup_place, verifying
from registry.care.backup_place import BackupPlace
from registry.care.restoring import ObjectRestore, Restored
from registry.care.verifying import Verification

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    source: Path
    name: str | None
    replace: bool
    incomplete: bool
    links: bool


@app.command()
def run(  # noqa: PLR0913 - one parameter for each option
    source: Annotated[Path, typer.Argument(metavar="SRC", help="A folder of backups.")],
    *,
    backup: Annotated[
        str | None, typer.Option("--backup", metavar="NAME", help="Which; default: the newest.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of what is there, for good.")
    ] = False,
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="Also if blobs are missing from the backup.")
    ] = False,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy also where a hard link would do.")
    ] = False,
    data: installation.Data = None,
    as_json: printing.AsJson = False,
    config: process_settings.ConfigFile = None,
) -> None:
    """Restore a backup into an installation that is stopped, and empty unless --replace."""
    wish = _Wish(source=source, name=backup, replace=replace, incomplete=incomplete, links=not copy)
    with files_told("the restore is unfinished"), _alone(config, data) as settings:
        outcome = asyncio.run(_restore(settings, wish))
    restored = outcome.restored
    if as_json:
        printing.as_json(
            asdict(restored) | {"migrations": outcome.migrations, "losses": outcome.losses}
        )
    else:
        for loss in outcome.losses:
            printing.line(loss)
        printing.line(
            f"restored: {restored.there} objects were there, {restored.linked} linked, "
            f"{restored.copied} copied; migrations applied: {len(outcome.migrations)}; "
            f"verified: {len(outcome.losses)} losses"
        )
    if outcome.losses:
        raise typer.Exit(ExitCode.CONTENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What came back, and what `verify --quick` says is missing from it."""

    restored: Restored
    migrations: list[str]
    losses: list[str]


@contextmanager
def _alone(config: Path | None, data: Path | None) -> Iterator[Settings]:
    """Yield settings of an installation whose database nobody of this machine uses."""
    settings, environment = process_settings.load(config, {"data": data and str(data)})
    if data is None and settings.postgres_dsn is not None:
        settings.require(*installation.NEEDED)
        yield settings
        return
    folder = Path(settings.data) if settings.data else household.default_folder(environment)
    with Household.of(folder.absolute(), settings).alone() as complete:
        yield complete


async def _restore(settings: Settings, wish: _Wish) -> _Outcome:
    place = BackupPlace(wish.source)
    folder, manifest = await asyncio.to_thread(place.open, wish.name)
    dsn = settings.postgres_dsn.get_secret_value() if settings.postgres_dsn else ""
    target = Target(dsn=dsn, clients=programs.find_clients, replace=wish.replace)
    await restoring.check(target, manifest)
    async with installation.storage_of(settings) as storage:
        objects = ObjectRestore(storage, place, folder / backup_place.OBJECTS, links=wish.links)
        await objects.check(incomplete=wish.incomplete)
        ticker = Ticker(lambda: f"{objects.done} of {manifest.objects} objects")
        migrated = await restoring.restore(target, folder, manifest, objects, ticker.tick)
        ticker.clear()
    async with installation.opened(settings, name="transship restore") as opened:
        await _check_key(settings, opened.database)
        audit = Verification(opened.database, opened.storage, verifying.Wish(quick=True))
        losses = [
            f"{found.fault}: {found.subject}: {found.reason}"
            async for found in audit.run()
            if found is not None and found.fault.is_loss
        ]
    return _Outcome(restored=objects.restored, migrations=migrated, losses=losses)


async def _check_key(settings: Settings, database: Database) -> None:
    """Say so when the key at hand does not open what was restored."""
    keys = [key.get_secret_value() for key in settings.secret_key]
    if not keys:
        process_settings.tell(
            "give this installation the key of the one that was backed up before it starts "
            "(TRANSSHIP_SECRET_KEY, or the file `key` in its folder)"
        )
        return
    async with database.connection() as connection:
        try:
            await sealing.check_canary(connection, Keyring(keys))
        except WrongKey as error:
            process_settings.tell(str(error))
