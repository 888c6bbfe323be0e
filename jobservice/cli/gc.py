"""`transship gc`: what would go and why, collecting it, and getting it back."""

from __future__ import annotations

import asyncio
import sys
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from jobservice.cli import (
    api_client,
    artifact_name,
    collecting,
    display,
    printing,
    timing,
    watching,
)
from jobservice.cli.api_client import PAGE_SIZE, Json
from jobservice.cli.collecting import ROOT
from jobservice.cli.errors import UsageError
from jobservice.domain.retention_table import shown_tags

SCHEDULE: Final = f"{ROOT}/schedule"
PREVIEW: Final = f"{ROOT}/preview"
HISTORY: Final = {
    "ID": "id",
    "STATUS": "job_status",
    "HOW": "job_kind",
    "STARTED": "creation_time",
    "ENDED": "transship.end_time",
    "MANIFESTS": "transship.manifests",
    "BLOBS": "transship.blobs",
    "FREED": "freed",
    "ERROR": "transship.error",
}
AMOUNTS: Final = {
    "now": "goes with the next sweep",
    "failed": "of these the storage would not delete",
    "after_window": "goes after the window, and can be put back until then",
    "unreviewed": "no manifest needs, waits for its review",
}
DELETED: Final = {
    "WHAT": "kind",
    "NAME": "name",
    "TAGS": "tags",
    "DELETED": "deleted_at",
    "UNTIL": "until",
    "BY": "deleted_by",
    "WHY": "reason",
}

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Collect what nothing needs.")
Identity = Annotated[int, typer.Argument(metavar="ID", min=1)]
DeleteUntagged = Annotated[
    bool, typer.Option("--delete-untagged", help="Take manifests without a tag, too.")
]
Workers = Annotated[int, typer.Option("--workers", min=1, max=10, help="Batches at once.")]


class Form(StrEnum):
    """How a preview is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    HTML = "html"


@app.command()
def preview(
    *,
    form: Annotated[
        Form, typer.Option("--format", help="Sums as a table, or everything in one of the others.")
    ] = Form.TABLE,
    delete_untagged: DeleteUntagged = False,
    as_json: printing.AsJson = False,
) -> None:
    """Show what a collection would take, why, and what it would free."""
    query = {"delete_untagged": str(delete_untagged).lower()}
    if form is not Form.TABLE or as_json:
        wanted = Form.JSON if as_json else form
        asyncio.run(_pass_on({**query, "format": wanted.value}))
        return

    async def ask() -> Json:
        async with api_client.connected() as client:
            found: Json = await client.get(PREVIEW, **query, candidates="false")
            return found

    _show_sums(asyncio.run(ask()))


async def _pass_on(query: Json) -> None:
    """Write a report to standard output as it comes."""
    async with (
        api_client.connected() as client,
        client.opened(PREVIEW, query=query, headers={}) as answer,
    ):
        async for chunk in answer.chunks():
            sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def _show_sums(found: Json) -> None:
    sums = found["reclaimable"]
    for name, text in AMOUNTS.items():
        if amount := sums[name]["objects"]:
            printing.line(f"{text}: {amount} objects, {display.size(sums[name]['bytes'])}")
    for name in ("reasons", "repositories", "refused_by_storage"):
        if rows := found[name]:
            printing.line("")
            columns = {column.upper().replace("_", " "): column for column in rows[0]}
            printing.rows([_readable(row) for row in rows], columns, machine=False)


def _readable(row: Json) -> Json:
    return {**row, "bytes": display.size(row["bytes"])} if "bytes" in row else row


@app.command()
def run(
    *,
    now: Annotated[
        bool, typer.Option("--now", help="Free at once what would wait for its window.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    delete_untagged: DeleteUntagged = False,
    workers: Workers = 1,
    watch: Annotated[bool, typer.Option("--watch/--no-watch", help="Stay until it ends.")] = True,
    as_json: printing.AsJson = False,
) -> None:
    """Collect garbage now; the exit code says how it ended."""
    parameters: dict[str, Any] = {
        "delete_untagged": delete_untagged,
        "dry_run": dry_run,
        "workers": workers,
        "transship": {"release_now": now},
    }

    async def ask() -> Json:
        async with api_client.connected() as client:
            wish = {"schedule": {"type": "Manual"}, "parameters": parameters}
            identity = int(await client.create(SCHEDULE, wish))
            if watch:
                return await collecting.until_it_ends(client, identity, quiet=as_json)
            found: Json = await client.get(f"{ROOT}/{identity}")
            return found

    found = asyncio.run(ask())
    if as_json:
        printing.as_json(found)
    elif not watch:
        printing.line(f"garbage collection {found['id']} has started")
    if watch:
        collecting.want_success(found)


@app.command()
def watch(identity: Identity, *, as_json: printing.AsJson = False) -> None:
    """Stay until a collection ends; the exit code says how."""

    async def ask() -> Json:
        async with api_client.connected() as client:
            return await collecting.until_it_ends(client, identity, quiet=as_json)

    found = asyncio.run(ask())
    if as_json:
        printing.as_json(found)
    collecting.want_success(found)


@app.command()
def stop(identity: Identity, *, as_json: printing.AsJson = False) -> None:
    """Ask a collection to stop; what went is gone, the rest waits for the next."""

    async def ask() -> Json:
        async with api_client.connected() as client:
            before: Json = await client.get(f"{ROOT}/{identity}")
            await client.send("PUT", f"{ROOT}/{identity}")
            return before

    before = asyncio.run(ask())
    if as_json:
        printing.as_json({"id": identity})
    elif before["job_status"] in watching.UNFINISHED_JOB:
        printing.line(f"garbage collection {identity} is asked to stop")
    else:
        printing.line(f"garbage collection {identity} ended before: {before['job_status']}")


@app.command()
def history(
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, max=PAGE_SIZE, help="How many.")] = 20,
    as_json: printing.AsJson = False,
) -> None:
    """Show the collections that ran, the latest first."""

    async def ask() -> list[Json]:
        async with api_client.connected() as client:
            found: list[Json] = await client.get(ROOT, page_size=limit)
            return found

    found = asyncio.run(ask())
    rows = found if as_json else [{**one, "freed": _freed(one)} for one in found]
    printing.rows(rows, HISTORY, machine=as_json)


def _freed(one: Json) -> str:
    freed = one["transship"].get("freed_bytes")
    return "" if freed is None else display.size(freed)


@app.command()
def log(identity: Identity, *, as_json: printing.AsJson = False) -> None:
    """Show what a collection wrote down."""

    async def ask() -> str:
        async with api_client.connected() as client:
            return await client.text(f"{ROOT}/{identity}/log")

    text = asyncio.run(ask())
    if as_json:
        printing.as_json({"id": identity, "lines": text.splitlines()})
    else:
        printing.line(text.rstrip("\n"))


@app.command()
def schedule(
    *,
    every: timing.Every = "",
    cron: timing.Cron = "",
    off: Annotated[bool, typer.Option("--off", help="Collect by hand only.")] = False,
    delete_untagged: DeleteUntagged = False,
    workers: Workers = 1,
    as_json: printing.AsJson = False,
) -> None:
    """Show when garbage is collected by itself, or change it."""
    expression = timing.expression(every, cron)
    if off and expression:
        raise UsageError("--off and --every or --cron contradict each other")
    if not off and not expression and (delete_untagged or workers != 1):
        raise UsageError("--delete-untagged and --workers want --every or --cron")
    wish: Json | None = {"schedule": {"type": "None"}} if off else None
    if expression:
        wish = {
            "schedule": {"type": "Custom", "cron": expression},
            "parameters": {"delete_untagged": delete_untagged, "workers": workers},
        }

    async def ask() -> Json:
        async with api_client.connected() as client:
            if wish is not None:
                await client.send("PUT", SCHEDULE, body=wish)
            found: Json = await client.get(SCHEDULE)
            return found

    found = asyncio.run(ask())
    if as_json:
        printing.as_json(found)
    elif not found:
        printing.line("garbage is collected continuously, and as a job by hand only")
    else:
        at = printing.text_at(found, "schedule.next_scheduled_time")
        printing.line(f"{found['schedule']['cron']}, next at {at}; {found['job_parameters']}")


@app.command()
def undelete(
    artifact: Annotated[
        str, typer.Argument(metavar="REPOSITORY[:TAG|@DIGEST]", help="As `gc deleted` shows it.")
    ],
    *,
    as_json: printing.AsJson = False,
) -> None:
    """Put back what was deleted, while its bytes are still there."""
    repository, reference = artifact_name.parted(artifact)

    async def ask() -> Json:
        async with api_client.connected() as client:
            body = {"repository": repository, "reference": reference}
            reply = await client.send("POST", f"{ROOT}/undelete", body=body)
            found: Json = reply.json()
            return found

    found = asyncio.run(ask())
    if as_json:
        printing.as_json(found)
        return
    for digest in found["digests"]:
        printing.line(f"{repository}@{digest} is back")
    for tag in found["tags"]:
        printing.line(f"{repository}:{tag} is back")
    for tag in found["taken"]:
        printing.line(f"{repository}:{tag} stays where it is: it leads elsewhere by now")
    for digest in found["left"]:
        printing.line(f"{repository}@{digest} belongs to it and cannot come back")


@app.command()
def deleted(
    *,
    repository: Annotated[
        str | None, typer.Option("--repository", help="Only of this repository.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=PAGE_SIZE, help="How many.")] = 50,
    as_json: printing.AsJson = False,
) -> None:
    """Show what was deleted, the latest first, and until when it can be put back.

    NAME is what `gc undelete` wants. In the place of a time, UNTIL says `returned` of what is here
    again, and `released` of what cannot come back: bytes that it needs are gone.
    """

    async def ask() -> list[Json]:
        async with api_client.connected() as client:
            q = None if repository is None else f"repository={repository}"
            found: list[Json] = await client.get(f"{ROOT}/deleted", q=q, page_size=limit)
            return found

    found = asyncio.run(ask())
    if as_json:
        printing.as_json(found)
        return
    printing.rows([_named(one) for one in found], DELETED, machine=False)


def _named(one: Json) -> Json:
    separator = ":" if one["kind"] == "tag" else "@"
    return {
        **one,
        "name": f"{one['repository']}{separator}{one['reference']}",
        "tags": shown_tags(one["tags"]) if one["kind"] == "manifest" else "",
        "until": one["until"] if one["state"] == "deleted" else one["state"],
    }
