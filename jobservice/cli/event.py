"""`transship event`: what happens, as it happens."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from jobservice.cli import api_client, event_stream, printing
from jobservice.cli.event_stream import Event

app = typer.Typer(add_completion=False, no_args_is_help=True, help="What happens, live.")


@app.callback()
def events() -> None:
    """Make `watch` a command of its own."""


@app.command()
def watch(
    *,
    types: Annotated[
        str, typer.Option("--type", help="Of what: execution, task, queue; commas between them.")
    ] = "execution,task,queue",
    execution: Annotated[
        int | None, typer.Option("--execution", min=1, help="Only of this execution.")
    ] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Show what happens to executions, tasks and queues, a line each, until it is interrupted."""

    async def follow() -> None:
        async with api_client.connected() as client:
            async for event in event_stream.followed(
                client, "/events", type=types, execution_id=execution
            ):
                if as_json:
                    printing.compact({"event": event.name, "id": event.id, **event.data})
                else:
                    printing.line(line(event))

    asyncio.run(follow())


def line(event: Event) -> str:
    """Return an event as people read it."""
    data = event.data
    match event.name:
        case "task":
            worker = f" by worker {data['worker_id']}" if data["worker_id"] else ""
            why = f": {data['reason']}" if data["reason"] else ""
            return (
                f"{data['occurred_at'][:19]}Z task {data['task_id']} of execution"
                f" {data['execution_id']} ({data['job_type']}) {data['was']} -> {data['becomes']}"
                f"{worker}{why}"
            )
        case "execution":
            ended = data["succeeded"] + data["failed"] + data["stopped"]
            return (
                f"execution {data['id']} ({data['vendor_type']}) {data['status']}:"
                f" {ended} of {data['total']} tasks ended, {data['failed']} failed"
            )
        case "queue":
            counts = [
                f"{job_type} {count} {status}"
                for job_type, statuses in sorted(data["queues"].items())
                for status, count in sorted(statuses.items())
            ]
            return f"queues: {', '.join(counts) or 'nothing waits and nothing runs'}"
        case _:
            return str(data.get("message", data))
