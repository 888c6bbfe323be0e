"""`transship execution`: the runs of policies."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from jobservice.cli import api_client, printing, task_history, watching
from jobservice.cli.api_client import ApiClient, Json

PATH = "/replication/executions"
COLUMNS = {
    "ID": "id",
    "POLICY": "policy",
    "STATUS": "status",
    "TOTAL": "total",
    "SUCCEEDED": "succeed",
    "FAILED": "failed",
    "STARTED": "start_time",
    "ENDED": "end_time",
}
TASK_COLUMNS = {
    "ID": "id",
    "STATUS": "status",
    "SOURCE": "src_resource",
    "DESTINATION": "dst_resource",
    "STARTED": "start_time",
    "ENDED": "end_time",
    "ERROR": "transship.error.message",
}

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The runs of policies.")
Identity = Annotated[int, typer.Argument(metavar="ID", min=1)]


@app.command("list")
def list_executions(
    *,
    policy: Annotated[
        int | None, typer.Option("--policy", help="Only those of this policy id.")
    ] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Show executions, the newest first."""

    async def ask() -> list[Json]:
        async with api_client.connected() as client:
            found = await client.listed(PATH, policy_id=policy)
            return found if as_json else await _with_policy_names(client, found)

    printing.rows(asyncio.run(ask()), COLUMNS, machine=as_json)


@app.command()
def show(identity: Identity, *, as_json: printing.AsJson = False) -> None:
    """Show one execution, what it took and what it left out."""

    async def ask() -> Json:
        async with api_client.connected() as client:
            found: Json = await client.get(f"{PATH}/{identity}")
            return found

    execution = asyncio.run(ask())
    printing.details(execution if as_json else _unfolded(execution), machine=as_json)


def _unfolded(execution: Json) -> Json:
    """Return an execution with a field for each reason why something was left out."""
    ours = dict(execution.get("transship") or {})
    told = {
        f"left out, {outcome['reason']}": watching.examples(outcome)
        for outcome in ours.pop("left_out", [])
    }
    return {name: value for name, value in execution.items() if name != "transship"} | ours | told


@app.command()
def watch(identity: Identity, *, as_json: printing.AsJson = False) -> None:
    """Stay until an execution ends; the exit code says how."""

    async def ask() -> Json:
        async with api_client.connected() as client:
            return await watching.until_it_ends(client, identity, quiet=as_json)

    execution = asyncio.run(ask())
    if as_json:
        printing.as_json(execution)
    watching.want_success(execution)


@app.command()
def stop(identity: Identity, *, as_json: printing.AsJson = False) -> None:
    """Ask an execution to stop."""

    async def ask() -> Json:
        async with api_client.connected() as client:
            before: Json = await client.get(f"{PATH}/{identity}")
            await client.send("PUT", f"{PATH}/{identity}")
            return before

    before = asyncio.run(ask())
    if as_json:
        printing.as_json({"id": identity})
    elif before["status"] == watching.IN_PROGRESS:
        printing.line(f"execution {identity} is asked to stop")
    else:
        printing.line(f"execution {identity} ended before: {before['status']}")


@app.command()
def retry(identity: Identity, *, as_json: printing.AsJson = False) -> None:
    """Let the failed tasks of an execution try again."""

    async def ask() -> Json:
        async with api_client.connected() as client:
            found: Json = (await client.send("POST", f"/executions/{identity}/retry")).json()
            return found

    printing.retried(asyncio.run(ask()), machine=as_json)


@app.command()
def tasks(identity: Identity, *, as_json: printing.AsJson = False) -> None:
    """Show the tasks of an execution."""

    async def ask() -> list[Json]:
        async with api_client.connected() as client:
            return await client.listed(f"{PATH}/{identity}/tasks")

    found = asyncio.run(ask())
    columns = dict(TASK_COLUMNS)
    if not any(watching.reason(task) for task in found):
        del columns["ERROR"]
    printing.rows(found, columns, machine=as_json)


@app.command()
def log(
    identity: Identity,
    task: Annotated[int, typer.Argument(metavar="TASK", min=1)],
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the task ends.")
    ] = False,
    search: Annotated[
        str | None, typer.Option("--search", help="Only lines that contain this, in any case.")
    ] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Show what a task wrote down."""

    async def ask() -> str | None:
        async with api_client.connected() as client:
            if follow or search:
                await client.get(f"{PATH}/{identity}")
                await task_history.show_log(
                    client, task, follow=follow, search=search, machine=as_json
                )
                return None
            return await client.text(f"{PATH}/{identity}/tasks/{task}/log")

    text = asyncio.run(ask())
    if text is None:
        return
    if as_json:
        printing.as_json({"id": task, "lines": text.splitlines()})
    else:
        printing.line(text.rstrip("\n"))


@app.command()
def timeline(
    task: Annotated[int, typer.Argument(metavar="TASK", min=1)],
    *,
    as_json: printing.AsJson = False,
) -> None:
    """Show every step of a task's life: when, by which worker, and why."""

    async def ask() -> list[Json]:
        async with api_client.connected() as client:
            return await task_history.timeline(client, task)

    steps = asyncio.run(ask())
    if as_json:
        printing.as_json(steps)
        return
    for line in task_history.lines(steps):
        printing.line(line)


async def _with_policy_names(client: ApiClient, found: list[Json]) -> list[Json]:
    policies = await client.listed("/replication/policies") if found else []
    names = {policy["id"]: policy["name"] for policy in policies}
    return [{**row, "policy": names.get(row["policy_id"], row["policy_id"])} for row in found]
