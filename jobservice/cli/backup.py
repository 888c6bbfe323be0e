"""`transship backup`."""

from __future__ import annotations

import asyncio
import importlib.metadata
from pathlib import Path
from typing import IO, Annotated

import typer

from database import dumping
from jobservice.cli import display, installation, printing, process_settings
from jobservice.cli.errors import files_told
from jobservice.cli.exit_codes import ExitCode
from jobservice.cli.ticker import Ticker
from jobservice.supervisor import programs
from registry.care.backing_up import Backup, Means, Saved
from registry.care.backup_place import BackupPlace
from registry.metadata.backups import TRANSIENT, Snapshot

app = typer.Typer(add_completion=False)


@app.command()
def run(
    destination: Annotated[Path, typer.Argument(metavar="DEST", help="A folder of backups.")],
    *,
    keep: Annotated[
        int | None, typer.Option("--keep", min=1, help="Remove all but the newest N backups.")
    ] = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy also where a hard link would do.")
    ] = False,
    data: installation.Data = None,
    as_json: printing.AsJson = False,
    config: process_settings.ConfigFile = None,
) -> None:
    """Back up database and blobs while everything serves; only blobs that are new are copied.

    The key that seals secrets is not in it: keep that apart.
    """
    settings = installation.settings_of(config, data)

    async def work() -> tuple[str, Saved]:
        async with installation.opened(settings, name="transship backup") as opened:

            async def dump(file: IO[bytes], snapshot: Snapshot) -> None:
                found = programs.find_clients(snapshot.postgres)
                await dumping.dump(
                    found,
                    opened.dsn,
                    file,
                    snapshot=snapshot.snapshot,
                    without_rows_of=TRANSIENT,
                )

            version = importlib.metadata.version("transship")
            means = Means(dump=dump, version=version, links=not copy, keep=keep)
            place = BackupPlace(destination)
            backup = Backup(opened.database, opened.storage, place, means)
            ticker = Ticker(lambda: _progress(backup.saved))
            name, _ = await backup.run(ticker.tick)
            ticker.clear()
            return name, backup.saved

    with files_told("the backup is unfinished, call it again"):
        name, saved = asyncio.run(work())
    _tell(destination / name, saved, machine=as_json)
    if saved.holes:
        raise typer.Exit(ExitCode.CONTENT)


def _progress(saved: Saved) -> str:
    done = saved.there + saved.linked + saved.copied
    return f"{done} of {saved.objects} objects, {display.size(saved.copied_bytes)} copied"


def _tell(backup: Path, saved: Saved, *, machine: bool) -> None:
    if machine:
        printing.as_json(
            {
                "backup": str(backup),
                "objects": saved.objects,
                "object_bytes": saved.object_bytes,
                "there": saved.there,
                "linked": saved.linked,
                "copied": saved.copied,
                "copied_bytes": saved.copied_bytes,
                "holes": saved.holes,
            }
        )
        return
    for digest, reason in saved.holes.items():
        printing.line(f"missing: {digest}: {reason}")
    printing.line(
        f"{backup}: {saved.objects} objects ({display.size(saved.object_bytes)}): "
        f"{saved.there} there already, {saved.linked} linked, {saved.copied} copied "
        f"({display.size(saved.copied_bytes)})"
    )
