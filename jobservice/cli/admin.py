"""`transship admin`: switches that the whole installation obeys."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from jobservice.cli import api_client, printing

PATH = "/configurations"

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Switches that the whole installation obeys."
)


class Position(StrEnum):
    """Of a switch."""

    ON = "on"
    OFF = "off"


@app.callback()
def _root() -> None:
    """Keep each command one of its own."""


@app.command("read-only")
def read_only(
    position: Annotated[
        Position | None, typer.Argument(help="Without one: show how it stands.")
    ] = None,
    *,
    as_json: printing.AsJson = False,
) -> None:
    """Forbid, or allow again, every change of this registry's content; pulls go on."""

    async def ask() -> bool:
        async with api_client.connected() as client:
            if position is not None:
                await client.send("PUT", PATH, body={"read_only": position is Position.ON})
                return position is Position.ON
            found: bool = (await client.get(PATH))["read_only"]["value"]
            return found

    is_on = asyncio.run(ask())
    if as_json:
        printing.as_json({"read_only": is_on})
    else:
        printing.line(f"this registry is {'read only' if is_on else 'open to changes'}")
