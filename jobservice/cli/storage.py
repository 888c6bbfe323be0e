"""`transship storage`: what this registry keeps its blobs in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from jobservice.cli import (
    display,
    installation,
    printing,
    process_settings,
    storage_usage,
    storage_verify,
)
from jobservice.cli.exit_codes import ExitCode
from jobservice.cli.ticker import Ticker
from registry.care.distribution_storage import DistributionFolder
from registry.care.errors import NotAdoptable
from registry.care.importing import Import, Wish
from registry.care.old_repository import Skipped
from registry.care.taken import Taken
from registry.storage.filesystem import FilesystemStorage

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="What this registry keeps its blobs in."
)


app.command("verify")(storage_verify.verify)
app.command("usage")(storage_usage.usage)


@app.command("import")
def import_storage(  # noqa: PLR0913 - one parameter for each option
    *,
    source: Annotated[
        Path, typer.Option("--from", metavar="DIR", help="The other registry's rootdirectory.")
    ],
    project: Annotated[
        str, typer.Option("--project", help="For repositories in none, such as `alpine`.")
    ] = "library",
    quick: Annotated[bool, typer.Option("--quick", help="Trust sizes; hash no blob.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would come; change nothing.")
    ] = False,
    data: installation.Data = None,
    as_json: printing.AsJson = False,
    config: process_settings.ConfigFile = None,
) -> None:
    """Adopt the storage of a CNCF distribution registry where it lies, without copying blobs.

    The other registry may go on; call it again for what is new, and after an interruption.
    """
    settings = installation.settings_of(config, data)
    wish = Wish(project=project, quick=quick, dry_run=dry_run)

    async def work() -> tuple[Taken, list[Skipped]]:
        async with installation.opened(settings, name="transship storage import") as opened:
            if not isinstance(opened.storage, FilesystemStorage):
                raise NotAdoptable("only a storage in a folder adopts another registry's folder")
            old = DistributionFolder(source, opened.storage)
            adoption = Import(opened.database, opened.storage, old, wish)
            return adoption.taken, [skipped async for skipped in _told(adoption, quiet=as_json)]

    taken, skipped = asyncio.run(work())
    if as_json:
        printing.as_json(asdict(taken) | {"skipped": [asdict(one) for one in skipped]})
    else:
        for line in _summary(taken, would="would be " if dry_run else ""):
            printing.line(line)
    if skipped:
        raise typer.Exit(ExitCode.FAILED)


async def _told(adoption: Import, *, quiet: bool) -> AsyncIterator[Skipped]:
    """Yield what is left out, and say it and how far the import is as it goes."""
    ticker = Ticker(lambda: _progress(adoption.taken))
    async for step in adoption.run():
        if step is not None:
            if not quiet:
                ticker.clear()
                printing.line(f"left out: {step.where}: {step.reason}")
            yield step
        ticker.tick()
    ticker.clear()


def _progress(taken: Taken) -> str:
    return (
        f"{taken.repositories} repositories, {taken.manifests + taken.manifests_here} manifests, "
        f"{taken.blobs} blobs ({display.size(taken.blob_bytes)})"
    )


def _summary(taken: Taken, *, would: str) -> Iterator[str]:
    for project in taken.projects:
        yield f"project {project} {would or 'was '}made, private"
    yield (
        f"{would or ''}taken: {taken.manifests} manifests, {taken.tags} tags, {taken.blobs} blobs "
        f"({display.size(taken.blob_bytes)}) of {taken.repositories} repositories; "
        f"here already: {taken.manifests_here} manifests, {taken.tags_here} tags"
    )
    if taken.symbolic_links:
        yield (
            f"{taken.symbolic_links} blobs are symbolic links, because they lie on another file "
            "system: the other registry's files must stay"
        )
    if taken.left:
        yield (
            f"{taken.left} blobs ({display.size(taken.left_bytes)}) belong to nothing that was "
            "taken, and stay where they are"
        )
    if taken.skipped:
        yield f"{taken.skipped} left out, each with its reason above"
