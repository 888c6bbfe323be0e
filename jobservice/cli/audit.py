"""`transship audit`: who changed what, and clearing away what is old of it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import typer

from jobservice.cli import api_client, printing
from jobservice.cli.api_client import PAGE_SIZE, Json
from jobservice.cli.errors import UsageError

PATH: Final = "/auditlog-exts"
PURGE: Final = "/system/purgeaudit/schedule"
HOURS_A_DAY: Final = 24
COLUMNS: Final = {
    "TIME": "op_time",
    "WHO": "username",
    "FROM": "transship.client_address",
    "OPERATION": "operation",
    "TYPE": "resource_type",
    "WHAT": "resource",
    "DONE": "operation_result",
    "DETAIL": "operation_description",
}

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Who changed what.")


@app.command("list")
def list_entries(
    *,
    user: Annotated[str | None, typer.Option("--user", help="By this user.")] = None,
    operation: Annotated[
        str | None, typer.Option("--operation", help="As create, stop or pause.")
    ] = None,
    resource_type: Annotated[
        str | None, typer.Option("--type", help="Of what: policy, execution, queue, …")
    ] = None,
    refused: Annotated[
        bool, typer.Option("--refused", help="Only what was tried and not done.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=PAGE_SIZE, help="How many.")] = 50,
    as_json: printing.AsJson = False,
) -> None:
    """Show the audit log, the latest first."""
    wanted = {"username": user, "operation": operation, "resource_type": resource_type}
    conditions = [f"{name}={_one(value)}" for name, value in wanted.items() if value is not None]
    conditions += ["operation_result=false"] if refused else []

    async def ask() -> list[Json]:
        async with api_client.connected() as client:
            query = ",".join(conditions) or None
            found: list[Json] = await client.get(PATH, q=query, page_size=limit)
            return found

    printing.rows(asyncio.run(ask()), COLUMNS, machine=as_json)


@app.command()
def purge(
    *,
    days: Annotated[
        int, typer.Option("--days", min=1, max=10_000, help="Older than so many days.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Start a job that deletes old entries, of every type."""

    async def ask() -> str:
        async with api_client.connected() as client:
            types = await client.get(f"{PATH}/events")
            parameters: dict[str, Any] = {
                "audit_retention_hour": days * HOURS_A_DAY,
                "include_event_types": ",".join(one["event_type"] for one in types),
                "dry_run": dry_run,
            }
            wish = {"schedule": {"type": "Manual"}, "parameters": parameters}
            return await client.create(PURGE, wish)

    identity = int(asyncio.run(ask()))
    if as_json:
        printing.as_json({"id": identity})
    else:
        printing.line(f"purge {identity} has started; `transship audit purges` shows what it did")


@app.command()
def purges(*, as_json: printing.AsJson = False) -> None:
    """Show the purges that ran, the latest first."""
    columns = {"ID": "id", "STATUS": "job_status", "STARTED": "creation_time", "HOW": "job_kind"}

    async def ask() -> list[Json]:
        async with api_client.connected() as client:
            found: list[Json] = await client.get("/system/purgeaudit", page_size=PAGE_SIZE)
            return found

    printing.rows(asyncio.run(ask()), columns, machine=as_json)


def _one(value: str) -> str:
    """Return a value as `q` takes it; raise UsageError for what its grammar has no words for."""
    if not value or any(letter in value for letter in "\"',[]{}()~"):
        raise UsageError(f"{value!r} is no name or operation")
    return value
