"""`transship queue`: what waits, held back, let go on, stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated, Final

import typer

from jobservice.cli import api_client, printing
from jobservice.cli.api_client import Json
from jobservice.cli.errors import UsageError

QUEUES: Final = "/jobservice/queues"
PAUSES: Final = "/pauses"
ALL: Final = "all"
COLUMNS: Final = {
    "TYPE": "job_type",
    "WAITING": "count",
    "LATENCY": "latency",
    "PAUSED": "paused",
    "BY": "transship.paused_by",
    "SINCE": "transship.paused_at",
    "WHY": "transship.comment",
}
PAUSE_COLUMNS: Final = {
    "PAUSED": "scope",
    "WHICH": "name",
    "BY": "paused_by",
    "SINCE": "paused_at",
    "WHY": "comment",
}

app = typer.Typer(add_completion=False, no_args_is_help=True, help="What waits, by job type.")
JobType = Annotated[str | None, typer.Argument(metavar="[TYPE|all]")]
Policy = Annotated[int | None, typer.Option("--policy", min=1, help="The tasks of this policy.")]
Destination = Annotated[
    int | None, typer.Option("--destination", min=0, help="What writes to this registry's id.")
]
Schedules = Annotated[bool, typer.Option("--schedules", help="What schedules start.")]


@app.command("list")
def list_queues(*, as_json: printing.AsJson = False) -> None:
    """Show how much waits of each job type, for how long, and what is held back."""

    async def ask() -> tuple[list[Json], list[Json]]:
        async with api_client.connected() as client:
            return await client.get(QUEUES), await client.get(PAUSES)

    queues, pauses = asyncio.run(ask())
    if as_json:
        printing.as_json({"queues": queues, "pauses": pauses})
        return
    printing.rows(queues, COLUMNS, machine=False)
    if pauses:
        printing.line("")
        printing.rows(pauses, PAUSE_COLUMNS, machine=False)


@app.command()
def pause(
    job_type: JobType = None,
    *,
    policy: Policy = None,
    destination: Destination = None,
    schedules: Schedules = False,
    comment: Annotated[str, typer.Option("--comment", help="Why.")] = "",
    as_json: printing.AsJson = False,
) -> None:
    """Hold back what is pending; what runs goes on."""
    scope, key = _scope(job_type, policy, destination, schedules=schedules)

    async def ask() -> None:
        async with api_client.connected() as client:
            body = {"scope": scope, "key": key, "comment": comment}
            await client.send("POST", PAUSES, body=body)

    asyncio.run(ask())
    _tell(scope, key, "is held back", machine=as_json)


@app.command()
def resume(
    job_type: JobType = None,
    *,
    policy: Policy = None,
    destination: Destination = None,
    schedules: Schedules = False,
    as_json: printing.AsJson = False,
) -> None:
    """Let go on what was held back."""
    scope, key = _scope(job_type, policy, destination, schedules=schedules)

    async def ask() -> None:
        async with api_client.connected() as client:
            await client.send("DELETE", f"{PAUSES}/{scope}/{key}".rstrip("/"))

    asyncio.run(ask())
    _tell(scope, key, "goes on", machine=as_json)


@app.command()
def stop(
    job_type: Annotated[str, typer.Argument(metavar="TYPE|all")],
    *,
    running: Annotated[bool, typer.Option("--running", help="What runs of it, too.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Stop everything that waits of a job type; what runs goes on, unless asked otherwise."""
    if running and job_type == ALL:
        raise UsageError("--running goes with one job type")

    async def ask() -> None:
        async with api_client.connected() as client:
            if running:
                body = {"job_type": job_type, "running": True}
                await client.send("POST", "/tasks/stop", body=body)
            else:
                await client.send("PUT", f"{QUEUES}/{job_type}", body={"action": "stop"})

    asyncio.run(ask())
    which = ("everything", "") if job_type == ALL else ("job_type", job_type)
    _tell(*which, "that waited is stopped", machine=as_json)


def _scope(
    job_type: str | None, policy: int | None, destination: int | None, *, schedules: bool
) -> tuple[str, str]:
    """Return scope and key; raise UsageError unless exactly one thing is named."""
    named = list(_named(job_type, policy, destination, schedules=schedules))
    if len(named) != 1:
        raise UsageError("name one: a job type, all, --policy, --destination or --schedules")
    return named[0]


def _named(
    job_type: str | None, policy: int | None, destination: int | None, *, schedules: bool
) -> Iterator[tuple[str, str]]:
    if job_type == ALL:
        yield "everything", ""
    elif job_type is not None:
        yield "job_type", job_type
    if policy is not None:
        yield "policy", str(policy)
    if destination is not None:
        yield "destination", str(destination)
    if schedules:
        yield "schedules", ""


def _tell(scope: str, key: str, what: str, *, machine: bool) -> None:
    if machine:
        printing.as_json({"scope": scope, "key": key})
        return
    name = f"{scope.replace('_', ' ')} {key}".strip()
    printing.line(f"{name} {what}")
