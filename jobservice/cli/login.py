"""`transship login`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from config import environment
from jobservice.cli import api_client, contexts, passwords, printing
from jobservice.cli.contexts import Login

app = typer.Typer(add_completion=False)


@app.command()
def run(
    url: Annotated[str, typer.Argument(help="http(s)://HOST[:PORT]; https when it has no scheme.")],
    *,
    username: Annotated[str, typer.Option("--username", "-u", help="Who you are there.")] = "admin",
    password_stdin: passwords.FromStdin = False,
    as_json: printing.AsJson = False,
) -> None:
    """Remember a server, so that the other commands know whom to talk to."""
    login = Login(
        url=contexts.normalised(url),
        username=username,
        password=passwords.of(username, from_stdin=password_stdin),
    )
    version = asyncio.run(_try(login))
    file = contexts.file_of(environment.read())
    contexts.remember(file, login)
    if as_json:
        printing.as_json({"url": login.url, "username": username, "version": version})
    else:
        printing.line(f"logged in to {login.url} as {username}; remembered in {file}")


async def _try(login: Login) -> str:
    """Ask for something that only a user may see; raises when the password is wrong."""
    async with api_client.connected(login) as client:
        await client.get("/registries", page_size=1)
        information = await client.get("/systeminfo")
        return str(information.get("harbor_version") or "")
