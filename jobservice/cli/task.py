"""`transship task`: the tasks of all executions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, TypeVar

import typer

from jobservice.cli import api_client, printing, task_history
from jobservice.cli.api_client import PAGE_SIZE, ApiClient, Json
from jobservice.cli.errors import UsageError

PATH: Final = "/tasks"
COLUMNS: Final = {
    "ID": "id",
    "EXECUTION": "execution_id",
    "TYPE": "job_type",
    "STATUS": "status",
    "ATTEMPT": "attempt",
    "WORKER": "worker_id",
    "STARTED": "started_at",
    "ENDED": "ended_at",
    "REASON": "reason",
}
WHY_COLUMNS: Final = {"CODE": "code", "WHY": "message"}

Result = TypeVar("Result")

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The tasks of all executions.")
Identity = Annotated[int, typer.Argument(metavar="ID", min=1)]
Execution = Annotated[int | None, typer.Option("--execution", min=1, help="Of this execution.")]
Policy = Annotated[int | None, typer.Option("--policy", min=1, help="Of this policy's id.")]
JobType = Annotated[str | None, typer.Option("--job-type", help="Of this type.")]


@app.command("list")
def list_tasks(  # noqa: PLR0913 - a command has as many options as there are filters
    *,
    status: Annotated[str | None, typer.Option("--status", help="In this state.")] = None,
    job_type: JobType = None,
    policy: Policy = None,
    execution: Execution = None,
    worker: Annotated[int | None, typer.Option("--worker", min=1, help="On this worker.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=PAGE_SIZE, help="How many.")] = 50,
    as_json: printing.AsJson = False,
) -> None:
    """Show tasks, the newest first."""

    async def ask(client: ApiClient) -> list[Json]:
        found: list[Json] = await client.get(
            PATH,
            status=status,
            job_type=job_type,
            policy_id=policy,
            execution_id=execution,
            worker_id=worker,
            page_size=limit,
        )
        return found

    printing.rows(_ask(ask), COLUMNS, machine=as_json)


@app.command()
def show(identity: Identity, *, as_json: printing.AsJson = False) -> None:
    """Show one task, and the last steps of its life."""

    async def ask(client: ApiClient) -> tuple[Json, list[Json]]:
        found: Json = await client.get(f"{PATH}/{identity}")
        return found, [] if as_json else await task_history.timeline(client, identity)

    found, steps = _ask(ask)
    printing.details(found, machine=as_json)
    for line in task_history.last_lines(steps, identity):
        printing.line(line)


@app.command()
def explain(identity: Identity, *, as_json: printing.AsJson = False) -> None:
    """Say why a task is where it is."""

    async def ask(client: ApiClient) -> list[Json]:
        found: list[Json] = await client.get(f"{PATH}/{identity}/explanation")
        return found

    printing.rows(_ask(ask), WHY_COLUMNS, machine=as_json)


@app.command()
def stop(identity: Identity, *, as_json: printing.AsJson = False) -> None:
    """Stop a task: at once if it waits, within two seconds if it runs."""

    async def ask(client: ApiClient) -> Json:
        found: Json = (await client.send("POST", f"{PATH}/{identity}/stop")).json()
        return found

    found = _ask(ask)
    if as_json:
        printing.as_json(found)
    elif found["stopped"] or found["told"]:
        printing.line(f"task {identity} is {'asked to stop' if found['told'] else 'stopped'}")
    else:
        printing.line(f"task {identity} has ended before")


@app.command()
def retry(
    identity: Annotated[int | None, typer.Argument(metavar="[ID]", min=1)] = None,
    *,
    stopped: Annotated[
        bool, typer.Option("--stopped", help="What was stopped, not what failed.")
    ] = False,
    job_type: JobType = None,
    policy: Policy = None,
    execution: Execution = None,
    as_json: printing.AsJson = False,
) -> None:
    """Let a task that failed or was stopped try again, or all that match."""
    wish = {"job_type": job_type, "policy_id": policy, "execution_id": execution}
    given = {name: value for name, value in wish.items() if value is not None}
    if (identity is None) == (not given):
        raise UsageError("give a task's id, or --execution, --policy or --job-type")

    async def ask(client: ApiClient) -> Json:
        if identity is not None:
            await client.send("POST", f"{PATH}/{identity}/retry")
            return {"retried": 1, "refused": 0, "reasons": []}
        body = {"status": "stopped" if stopped else "failed", **given}
        found: Json = (await client.send("POST", f"{PATH}/retry", body=body)).json()
        return found

    printing.retried(_ask(ask), machine=as_json)


@app.command()
def log(
    identity: Identity,
    *,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until it ends.")] = False,
    search: Annotated[str | None, typer.Option("--search", help="Only lines with this.")] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Show what a task wrote down."""

    async def ask(client: ApiClient) -> None:
        await task_history.show_log(client, identity, follow=follow, search=search, machine=as_json)

    _ask(ask)


@app.command()
def timeline(identity: Identity, *, as_json: printing.AsJson = False) -> None:
    """Show every step of a task's life: when, by which worker, and why."""

    async def ask(client: ApiClient) -> list[Json]:
        return await task_history.timeline(client, identity)

    steps = _ask(ask)
    if as_json:
        printing.as_json(steps)
        return
    for line in task_history.lines(steps):
        printing.line(line)


def _ask(question: Callable[[ApiClient], Awaitable[Result]]) -> Result:
    async def asked() -> Any:
        async with api_client.connected() as client:
            return await question(client)

    answer: Result = asyncio.run(asked())
    return answer
