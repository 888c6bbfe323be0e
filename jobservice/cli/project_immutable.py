"""`transship project immutable`: which tags of a project never lead elsewhere."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from jobservice.cli import api_client, printing
from jobservice.cli.api_client import Json

COLUMNS = {
    "ID": "id",
    "TAGS": "tags",
    "REPOSITORIES": "repositories",
    "DISABLED": "disabled",
}

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Which tags never lead elsewhere."
)
Project = Annotated[str, typer.Argument(metavar="PROJECT")]
Rule = Annotated[int, typer.Argument(metavar="ID")]


def _path(project: str, rule: int | None = None) -> str:
    rules = f"/projects/{api_client.segment(project)}/immutabletagrules"
    return rules if rule is None else f"{rules}/{rule}"


@app.command("list")
def list_rules(project: Project, *, as_json: printing.AsJson = False) -> None:
    """Show a project's rules."""

    async def ask() -> list[Json]:
        async with api_client.connected() as client:
            return await client.listed(_path(project))

    found = asyncio.run(ask())
    if not as_json:
        for rule in found:
            rule["tags"] = _described(rule["tag_selectors"][0])
            rule["repositories"] = _described(rule["scope_selectors"]["repository"][0])
    printing.rows(found, COLUMNS, machine=as_json)


def _described(selector: dict[str, Any]) -> str:
    excludes = str(selector["decoration"]).lower().endswith("excludes")
    return f"all but {selector['pattern']}" if excludes else str(selector["pattern"])


@app.command()
def add(
    project: Project,
    *,
    tags: Annotated[str, typer.Option(metavar="PATTERN", help="Tags: v*, {1,2}.*, …")],
    repositories: Annotated[
        str, typer.Option(metavar="PATTERN", help="Repositories, without the project.")
    ] = "**",
    all_but_tags: Annotated[bool, typer.Option(help="All tags but these.")] = False,
    all_but_repositories: Annotated[bool, typer.Option(help="All but these.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Keep tags where they are, from now on."""
    where = _selector("repoExcludes" if all_but_repositories else "repoMatches", repositories)
    body: Json = {
        "action": "immutable",
        "template": "immutable_template",
        "tag_selectors": [_selector("excludes" if all_but_tags else "matches", tags)],
        "scope_selectors": {"repository": [where]},
    }

    async def ask() -> Json:
        async with api_client.connected() as client:
            identity = int(await client.create(_path(project), body))
            reach: Json = await client.get(f"{_path(project, identity)}/reach")
            return {"id": identity, "reach": reach}

    made = asyncio.run(ask())
    if as_json:
        printing.as_json(made)
    else:
        printing.line(f"project {project} has the immutable tag rule {made['id']}")
        printing.line(_reached(made["reach"]))


def _reached(reach: Json) -> str:
    """Say what a rule takes at the moment; one that takes nothing may be a typo."""
    of_all = f"{reach['repositories']} of {reach['repositories_in_all']} repositories"
    if not reach["repositories"]:
        return f"NOTE: it takes nothing at the moment: it is in force in {of_all}"
    if not reach["tags"]:
        return f"NOTE: it takes nothing at the moment: no tag in {of_all}"
    return f"it takes {reach['tags']} tags in {of_all} at the moment"


def _selector(decoration: str, pattern: str) -> Json:
    return {"kind": "doublestar", "decoration": decoration, "pattern": pattern}


@app.command()
def disable(project: Project, rule: Rule, *, as_json: printing.AsJson = False) -> None:
    """Let a rule rest: its tags move and go as others do."""
    _switch(project, rule, disabled=True, as_json=as_json)


@app.command()
def enable(project: Project, rule: Rule, *, as_json: printing.AsJson = False) -> None:
    """Let a rule hold again."""
    _switch(project, rule, disabled=False, as_json=as_json)


def _switch(project: str, rule: int, *, disabled: bool, as_json: bool) -> None:
    async def ask() -> None:
        async with api_client.connected() as client:
            found = await client.listed(_path(project), q=f"id={rule}")
            # One that is as it should be would be read as changed; one that is not there is told.
            if not found or found[0]["disabled"] is not disabled:
                body: Json = {"id": rule, "disabled": disabled}
                await client.send("PUT", _path(project, rule), body=body)

    asyncio.run(ask())
    _tell(rule, "is disabled" if disabled else "holds", as_json=as_json)


@app.command()
def remove(project: Project, rule: Rule, *, as_json: printing.AsJson = False) -> None:
    """Remove a rule: its tags move and go as others do."""

    async def ask() -> None:
        async with api_client.connected() as client:
            await client.send("DELETE", _path(project, rule))

    asyncio.run(ask())
    _tell(rule, "is removed", as_json=as_json)


def _tell(rule: int, what: str, *, as_json: bool) -> None:
    if as_json:
        printing.as_json({"id": rule})
    else:
        printing.line(f"rule {rule} {what}")
