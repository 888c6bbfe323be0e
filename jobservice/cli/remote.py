"""`transship remote`: the registries that policies copy from and to."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from jobservice.cli import api_client, passwords, printing
from jobservice.cli.api_client import Json
from jobservice.cli.errors import UsageError

PATH = "/registries"
COLUMNS = {"ID": "id", "NAME": "name", "KIND": "type", "URL": "url", "STATUS": "status"}

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="The registries that policies copy from and to.",
)
Name = Annotated[str, typer.Argument(metavar="NAME|ID")]


@app.command("list")
def list_remotes(*, as_json: printing.AsJson = False) -> None:
    """Show every remote."""

    async def ask() -> list[Json]:
        async with api_client.connected() as client:
            return await client.listed(PATH)

    printing.rows(asyncio.run(ask()), COLUMNS, machine=as_json)


@app.command()
def create(  # noqa: PLR0913 - one option each
    name: Annotated[str, typer.Argument(help="How policies call it.")],
    *,
    url: Annotated[str, typer.Option("--url", help="https://HOST, or oci:///FOLDER of layouts.")],
    kind: Annotated[str, typer.Option("--kind", help="Which adapter.")] = "docker-registry",
    username: Annotated[str, typer.Option("--username", "-u")] = "",
    password_stdin: passwords.FromStdin = False,
    insecure: Annotated[bool, typer.Option("--insecure", help="Do not verify TLS.")] = False,
    ca_certificate: Annotated[
        Path | None, typer.Option("--ca-certificate", exists=True, help="PEM file.")
    ] = None,
    description: Annotated[str, typer.Option("--description")] = "",
    as_json: printing.AsJson = False,
) -> None:
    """Add a remote; the server tries it first."""
    body: Json = {"name": name, "url": url, "type": kind, "insecure": insecure}
    body |= {"description": description} if description else {}
    body |= {"ca_certificate": ca_certificate.read_text()} if ca_certificate else {}
    if password_stdin and not username:
        raise UsageError("--password-stdin wants --username")
    if username:
        secret = passwords.of(username, from_stdin=password_stdin)
        body["credential"] = {"type": "basic", "access_key": username, "access_secret": secret}

    async def ask() -> str:
        async with api_client.connected() as client:
            return await client.create(PATH, body)

    identity = asyncio.run(ask())
    if as_json:
        printing.as_json({"id": int(identity)})
    else:
        printing.line(f"remote {name} has id {identity}")


@app.command()
def show(name: Name, *, as_json: printing.AsJson = False) -> None:
    """Show one remote."""

    async def ask() -> Json:
        async with api_client.connected() as client:
            return await client.named(PATH, name, what="remote")

    printing.details(asyncio.run(ask()), machine=as_json)


@app.command()
def delete(name: Name, *, as_json: printing.AsJson = False) -> None:
    """Remove a remote that no policy uses."""

    async def ask() -> Json:
        async with api_client.connected() as client:
            found = await client.named(PATH, name, what="remote")
            await client.send("DELETE", f"{PATH}/{found['id']}")
            return found

    found = asyncio.run(ask())
    if as_json:
        printing.as_json({"id": found["id"]})
    else:
        printing.line(f"remote {found['name']} is removed")


@app.command()
def ping(name: Name, *, as_json: printing.AsJson = False) -> None:
    """Have the server try whether the remote answers and lets it in."""

    async def ask() -> Json:
        async with api_client.connected() as client:
            found = await client.named(PATH, name, what="remote")
            await client.send("POST", f"{PATH}/ping", body={"id": found["id"]})
            return found

    found = asyncio.run(ask())
    if as_json:
        printing.as_json({"id": found["id"], "status": "healthy"})
    else:
        printing.line(f"{found['name']} ({found['url']}) answers and lets the server in")
