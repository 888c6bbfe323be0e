"""`transship retention`: which tags stay."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from jobservice.cli import api_client, printing, retention_watching, timing
from jobservice.cli import retention_policies as policies
from jobservice.cli.api_client import ApiClient, Json
from jobservice.cli.errors import CommandError, UsageError
from jobservice.cli.exit_codes import ExitCode

COLUMNS: Final = {
    "ID": "id",
    "PLACE": "place",
    "RULES": "count",
    "CRON": "trigger.settings.cron",
    "SCOPE": "transship.scope",
}
HISTORY: Final = {
    "ID": "id",
    "STATUS": "status",
    "TRIGGER": "trigger",
    "DRY RUN": "dry_run",
    "REPOSITORIES": "transship.repositories",
    "STARTED": "start_time",
    "ENDED": "end_time",
    "NOTE": "note",
}
TASKS: Final = {
    "TASK": "id",
    "REPOSITORY": "transship.repository",
    "STATUS": "status",
    "TOTAL": "total",
    "RETAINED": "retained",
    "DELETED": "transship.deleted",
    "REFUSED": "transship.refused",
    "ERROR": "transship.error",
}
# What the server calls them.
FORMATS: Final = {"table": "text", "json": "json", "csv": "csv", "html": "html"}

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Which tags stay.")
Name = Annotated[
    str,
    typer.Argument(
        metavar="PROJECT|remote:REGISTRY|ID",
        help="A project, another registry (see `remote list`), or a policy's number.",
    ),
]
Execution = Annotated[int | None, typer.Argument(metavar="EXECUTION", min=1)]


@app.command("list")
def list_policies(*, as_json: printing.AsJson = False) -> None:
    """Show every policy."""

    async def ask(client: ApiClient) -> list[Json]:
        found = await client.listed(policies.PATH)
        if found and not as_json:
            projects = await client.listed("/projects")
            names = {project["project_id"]: project["name"] for project in projects}
            registries = await client.listed("/registries")
            others = {one["id"]: f"{policies.REMOTE}{one['name']}" for one in registries}
            for policy in found:
                about = (policy.get("scope") or {}).get("ref")
                remote = policy["transship"].get("registry_id")
                policy["place"] = names.get(about) or others.get(remote, "")
                policy["count"] = len(policy["rules"]) + len(policy["transship"]["rules"])
        return found

    printing.rows(api_client.asked(ask), COLUMNS, machine=as_json)


@app.command()
def show(name: Name, *, as_json: printing.AsJson = False) -> None:
    """Show the policy of a project or registry."""
    found = api_client.asked(lambda client: policies.get(client, name))
    if as_json:
        printing.as_json(found)
        return
    rules, own = found.pop("rules"), found["transship"].pop("rules")
    printing.details(found, machine=False)
    for number, rule in enumerate(rules, 1):
        printing.line(f"rule {number}: {json.dumps(rule, ensure_ascii=False)}")
    for number, rule in enumerate(own, 1):
        printing.line(f"transship rule {number}: {json.dumps(rule, ensure_ascii=False)}")


@app.command("set")
def set_policy(
    place: Annotated[str, typer.Argument(metavar="PROJECT|remote:REGISTRY")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML or JSON; - is stdin.")],
    *,
    every: timing.Every = "",
    cron: timing.Cron = "",
    as_json: printing.AsJson = False,
) -> None:
    """Give a project or registry the policy of a file, instead of the one it has.

    What goes at another registry cannot be had back: look at `preview` first.
    """
    body = policies.read(file)
    if said := timing.expression(every, cron):
        body["trigger"] = {"kind": "Schedule", "settings": {"cron": said}}

    async def ask(client: ApiClient) -> Json:
        placed = await policies.placed(client, place, body)
        before = await policies.found(client, place)
        if before is None:
            identity = await client.create(policies.PATH, placed)
        else:
            identity = str(before["id"])
            await client.send("PUT", f"{policies.PATH}/{identity}", body=placed)
        found: Json = await client.get(f"{policies.PATH}/{identity}")
        return found

    found = api_client.asked(ask)
    if as_json:
        printing.as_json(found)
        return
    when = found["trigger"]["settings"].get("cron") or "by hand only"
    printing.line(f"{policies.shown(place)} has retention policy {found['id']}; it runs: {when}")


@app.command()
def delete(name: Name, *, as_json: printing.AsJson = False) -> None:
    """Remove a policy; what its runs deleted stays deleted."""

    async def ask(client: ApiClient) -> Json:
        found = await policies.get(client, name)
        await client.send("DELETE", f"{policies.PATH}/{found['id']}")
        return found

    found = api_client.asked(ask)
    if as_json:
        printing.as_json({"id": found["id"]})
    else:
        printing.line(f"retention policy {found['id']} is removed")


@app.command()
def preview(
    name: Name,
    *,
    file: Annotated[
        Path | None, typer.Option("--file", help="Not the saved policy, but this one.")
    ] = None,
    shape: Annotated[str, typer.Option("--format", help="table, json, csv or html.")] = "table",
    as_json: printing.AsJson = False,
) -> None:
    """Show what a run would delete, why, and what that frees; nothing is deleted."""
    if shape not in FORMATS:
        raise UsageError(f"--format {shape}: choose {', '.join(FORMATS)}")
    told = "json" if as_json else FORMATS[shape]

    async def ask(client: ApiClient) -> None:
        if file is None:
            policy = await policies.get(client, name)
            path, body = f"{policies.PATH}/{policy['id']}/preview", None
        else:
            body = await policies.placed(client, name, policies.read(file))
            path = f"{policies.PATH}/preview"
        async with client.told(path, query={"format": told}, body=body) as answer:
            async for chunk in answer.chunks():
                sys.stdout.buffer.write(chunk)
            sys.stdout.flush()

    api_client.asked(ask)


@app.command()
def run(
    name: Name,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write down what would go; delete nothing.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Stay until it ends.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Start a run now; without --dry-run that approves of everything it deletes."""

    async def ask(client: ApiClient) -> Json:
        path = await policies.executions(client, name)
        identity = await client.create(path, {"dry_run": dry_run})
        if watch:
            return await retention_watching.until_it_ends(client, path, identity, quiet=as_json)
        started: Json = await client.get(f"{path}/{identity}")
        return started

    _told(api_client.asked(ask), watched=watch, as_json=as_json)


@app.command()
def watch(name: Name, execution: Execution = None, *, as_json: printing.AsJson = False) -> None:
    """Stay until a run ends, the latest if none is named; the exit code says how."""

    async def ask(client: ApiClient) -> Json:
        path = await policies.executions(client, name)
        identity = execution or await _latest(client, path)
        return await retention_watching.until_it_ends(client, path, identity, quiet=as_json)

    _told(api_client.asked(ask), watched=True, as_json=as_json)


@app.command()
def approve(name: Name, execution: Execution = None, *, as_json: printing.AsJson = False) -> None:
    """Let a run that waits delete what it decided."""
    _operate(name, execution, "approve", as_json=as_json)


@app.command()
def reject(name: Name, execution: Execution = None, *, as_json: printing.AsJson = False) -> None:
    """End a run that waits; it deletes nothing."""
    _operate(name, execution, "reject", as_json=as_json)


@app.command()
def stop(
    name: Name,
    execution: Annotated[int, typer.Argument(metavar="EXECUTION", min=1)],
    *,
    as_json: printing.AsJson = False,
) -> None:
    """Ask a run to stop; what it deleted stays deleted."""
    _operate(name, execution, "stop", as_json=as_json)


@app.command()
def history(name: Name, *, as_json: printing.AsJson = False) -> None:
    """Show the runs of a policy, the latest first."""

    async def ask(client: ApiClient) -> list[Json]:
        return await client.listed(await policies.executions(client, name))

    found = api_client.asked(ask)
    if not as_json:
        for row in found:
            row["note"] = retention_watching.note(row)
    printing.rows(found, HISTORY, machine=as_json)


@app.command()
def log(
    name: Name,
    execution: Execution = None,
    *,
    repository: Annotated[str, typer.Option("--repository", help="The table of this one.")] = "",
    as_json: printing.AsJson = False,
) -> None:
    """Show what a run did in each repository; with --repository why, artifact by artifact."""

    async def ask(client: ApiClient) -> tuple[list[Json], str | None]:
        path = await policies.executions(client, name)
        path = f"{path}/{execution or await _latest(client, path)}/tasks"
        tasks = await client.listed(path)
        if not repository:
            return tasks, None
        for task in tasks:
            if repository in {task["repository"], task["transship"]["repository"]}:
                return [task], await client.text(f"{path}/{task['id']}")
        raise CommandError(f"the run has no repository {repository}", code=ExitCode.NOT_FOUND)

    tasks, text = api_client.asked(ask)
    if text is None:
        printing.rows(tasks, TASKS, machine=as_json)
    elif as_json:
        printing.as_json({**tasks[0], "lines": text.splitlines()})
    else:
        printing.line(text.rstrip("\n"))


async def _latest(client: ApiClient, path: str, *, waiting: bool = False) -> int:
    """Return the id of the latest run, or of the latest that waits to be approved."""
    for row in await client.get(path, page_size=100):
        if not waiting or row["transship"]["pending_approval"]:
            identity: int = row["id"]
            return identity
    what = "run that waits to be approved" if waiting else "run"
    raise CommandError(f"there is no {what}", code=ExitCode.NOT_FOUND)


def _operate(name: str, execution: int | None, action: str, *, as_json: bool) -> None:
    async def ask(client: ApiClient) -> Json:
        path = await policies.executions(client, name)
        identity = execution or await _latest(client, path, waiting=True)
        await client.send("PATCH", f"{path}/{identity}", body={"action": action})
        found: Json = await client.get(f"{path}/{identity}")
        return found

    found = api_client.asked(ask)
    if as_json:
        printing.as_json(found)
    else:
        done = {"approve": "is approved", "reject": "is rejected", "stop": "is asked to stop"}
        printing.line(f"execution {found['id']} {done[action]}")


def _told(execution: Json, *, watched: bool, as_json: bool) -> None:
    if as_json:
        printing.as_json(execution)
    elif not watched:
        printing.line(f"execution {execution['id']} has started")
    if watched:
        retention_watching.want_success(execution)
