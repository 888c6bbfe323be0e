"""`transship migrate`."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer

from database import migrations
from jobservice.cli import process_settings

app = typer.Typer(add_completion=False)


@app.command()
def run(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Say what would happen; do nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    config: process_settings.ConfigFile = None,
) -> None:
    """Bring the database's schema up to date; with --check, only say what is pending."""
    settings, _ = process_settings.load(config)
    settings.require("postgres_dsn")
    dsn = settings.postgres_dsn.get_secret_value() if settings.postgres_dsn else ""
    names = asyncio.run(migrations.pending(dsn) if check else migrations.apply(dsn))
    if as_json:
        print(json.dumps({"pending" if check else "applied": names}))  # noqa: T201 - the result
        return
    verb = "pending" if check else "applied"
    for name in names:
        print(f"{verb} {name}")  # noqa: T201 - the result
    if not names:
        print("the schema is up to date")  # noqa: T201 - the result
