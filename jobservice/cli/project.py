"""`transship project`: where this registry keeps repositories."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from jobservice.cli import api_client, printing, project_immutable
from jobservice.cli.api_client import Json
from jobservice.cli.errors import UsageError

PATH = "/projects"
COLUMNS = {
    "ID": "project_id",
    "NAME": "name",
    "PUBLIC": "is_public",
    "REPOSITORIES": "repo_count",
}

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Where this registry keeps repositories."
)
app.add_typer(project_immutable.app, name="immutable")


@app.command("list")
def list_projects(*, as_json: printing.AsJson = False) -> None:
    """Show every project."""

    async def ask() -> list[Json]:
        async with api_client.connected() as client:
            return await client.listed(PATH)

    found = asyncio.run(ask())
    if not as_json:
        for project in found:
            # Harbor's metadata are texts.
            project["is_public"] = (project.get("metadata") or {}).get("public") == "true"
    printing.rows(found, COLUMNS, machine=as_json)


@app.command()
def create(
    name: Annotated[str, typer.Argument()],
    *,
    public: Annotated[bool, typer.Option("--public", help="Everybody may pull.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Make a project."""
    body: Json = {"project_name": name, "metadata": {"public": "true" if public else "false"}}

    async def ask() -> str:
        async with api_client.connected() as client:
            return await client.create(PATH, body)

    identity = asyncio.run(ask())
    if as_json:
        printing.as_json({"project_id": int(identity)})
    else:
        printing.line(f"project {name} has id {identity}")


@app.command()
def show(name: Annotated[str, typer.Argument()], *, as_json: printing.AsJson = False) -> None:
    """Show a project and its settings."""

    async def ask() -> Json:
        async with api_client.connected() as client:
            found: Json = await client.get(f"{PATH}/{api_client.segment(name)}")
            return found

    printing.details(asyncio.run(ask()), machine=as_json)


@app.command()
def update(
    name: Annotated[str, typer.Argument()],
    *,
    public: Annotated[
        bool | None, typer.Option("--public/--private", help="Who may pull: everybody, or not.")
    ] = None,
    untagged_keep_days: Annotated[
        int | None,
        typer.Option(
            min=0, max=36_500, help="What has no tag goes when unused so long; 0 keeps it."
        ),
    ] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Change what is said, and leave the rest."""
    body: Json = {}
    if public is not None:
        body["metadata"] = {"public": "true" if public else "false"}
    if untagged_keep_days is not None:
        body["transship"] = {"untagged_keep_days": untagged_keep_days or None}

    async def ask() -> None:
        async with api_client.connected() as client:
            await client.send("PUT", f"{PATH}/{api_client.segment(name)}", body=body)

    if not body:
        raise UsageError("nothing to change: say --public, --private or --untagged-keep-days")
    asyncio.run(ask())
    if as_json:
        printing.as_json({"name": name})
    else:
        printing.line(f"project {name} is changed")


@app.command()
def delete(name: Annotated[str, typer.Argument()], *, as_json: printing.AsJson = False) -> None:
    """Remove a project that holds no repository."""

    async def ask() -> None:
        async with api_client.connected() as client:
            await client.send("DELETE", f"{PATH}/{api_client.segment(name)}")

    asyncio.run(ask())
    if as_json:
        printing.as_json({"name": name})
    else:
        printing.line(f"project {name} is removed")
