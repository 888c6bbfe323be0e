"""`transship secrets`: the keys that seal passwords at rest."""

from __future__ import annotations

import asyncio

import typer

from config.settings import Settings
from database.pool import Database
from database.sealing import Keyring
from jobservice import rotating
from jobservice.cli import installation, printing, process_settings
from jobservice.rotating import Rotation

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="The keys that seal passwords at rest."
)


@app.callback()
def _root() -> None:
    """Keep `rotate` a command of its own."""


@app.command()
def rotate(
    *,
    data: installation.Data = None,
    as_json: printing.AsJson = False,
    config: process_settings.ConfigFile = None,
) -> None:
    """Seal every secret with the first of the keys, while everything runs."""
    settings = installation.settings_of(config, data, needed=("postgres_dsn", "secret_key"))
    done = asyncio.run(_rotate(settings))
    if as_json:
        printing.as_json({"secrets": done.secrets, "resealed": done.resealed})
    else:
        printing.line(f"{done.resealed} secrets sealed anew, {done.secrets} in all")


async def _rotate(settings: Settings) -> Rotation:
    dsn = settings.postgres_dsn.get_secret_value() if settings.postgres_dsn else ""
    keyring = Keyring([key.get_secret_value() for key in settings.secret_key])
    database = await Database.connect(dsn, application_name="transship secrets", max_size=1)
    try:
        return await rotating.rotate(database, keyring)
    finally:
        await database.close()
