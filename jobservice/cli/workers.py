"""`transship workers`: the worker processes that live."""

from __future__ import annotations

import asyncio
from typing import Final

import typer

from jobservice.cli import api_client, printing
from jobservice.cli.api_client import Json

PATH: Final = "/jobservice/pools"
COLUMNS: Final = {
    "ID": "worker_pool_id",
    "HOST": "host",
    "PID": "pid",
    "ZONE": "transship.zone",
    "RUNNING": "transship.running",
    "SLOTS": "concurrency",
    "VERSION": "transship.version",
    "STARTED": "start_at",
    "HEARD OF": "heartbeat_at",
}

app = typer.Typer(add_completion=False)


@app.command()
def workers(*, as_json: printing.AsJson = False) -> None:
    """Show the worker processes that live, and how busy they are."""

    async def ask() -> list[Json]:
        async with api_client.connected() as client:
            found: list[Json] = await client.get(PATH)
            return found

    printing.rows(asyncio.run(ask()), COLUMNS, machine=as_json)
