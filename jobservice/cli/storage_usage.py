"""`transship storage usage`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from jobservice.cli import display, installation, printing, process_settings
from jobservice.cli.errors import CommandError
from registry.care import using
from registry.care.using import Report
from registry.metadata.usage import Usage

_COLUMNS = {
    "NAME": "name",
    "REPOSITORIES": "repositories",
    "MANIFESTS": "manifests",
    "TAGS": "tags",
    "LOGICAL": "logical_bytes",
    "STORED": "stored_bytes",
    "EXCLUSIVE": "exclusive_bytes",
}
_TOTALS = {
    "blob_bytes": "blobs",
    "unneeded_bytes": "of these in no manifest",
    "lost_bytes": "of these lost",
    "manifest_bytes": "manifests (in the database)",
    "upload_bytes": "uploads under way",
    "removal_bytes": "waiting to be removed",
    "kept_bytes": "of these still in their window",
}


def usage(
    *,
    project: Annotated[
        str, typer.Option("--project", help="Only this project, and its repositories.")
    ] = "",
    data: installation.Data = None,
    as_json: printing.AsJson = False,
    config: process_settings.ConfigFile = None,
) -> None:
    """Show what each project and repository takes, what is shared, and how much room is left."""
    settings = installation.settings_of(config, data)

    async def work() -> Report:
        async with installation.opened(settings, name="transship storage usage") as opened:
            return await using.report(opened.database, opened.storage, project=project)

    report = asyncio.run(work())
    if project and not report.projects:
        raise CommandError(f"project {project!r} does not exist: see `transship project list`")
    if as_json:
        printing.as_json(asdict(report))
        return
    printing.rows(_readable(report.projects), _COLUMNS, machine=False)
    printing.line("")
    columns = {heading: path for heading, path in _COLUMNS.items() if path != "repositories"}
    printing.rows(_readable(report.repositories), columns, machine=False)
    printing.line("")
    for name, words in _TOTALS.items():
        printing.line(f"{display.size(getattr(report.total, name))} {words}")
    if report.room is not None:
        free, whole = display.size(report.room.free_bytes), display.size(report.room.total_bytes)
        printing.line(f"{free} free of {whole}")


def _readable(found: Sequence[Usage]) -> Sequence[Mapping[str, Any]]:
    return [
        {
            name: display.size(value) if name.endswith("_bytes") else value
            for name, value in asdict(one).items()
        }
        for one in found
    ]
