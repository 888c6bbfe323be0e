"""A run of retention followed until it ends, and a preview as a table."""

from __future__ import annotations

import asyncio
import csv
import sys
from collections.abc import AsyncIterator
from typing import Final

from jobservice.cli import display, printing
from jobservice.cli.api_client import ApiClient, Json
from jobservice.cli.errors import CommandError
from jobservice.cli.exit_codes import ExitCode

POLL_SECONDS: Final = 0.5
UNFINISHED: Final = frozenset({"Pending", "Running"})
SUCCEEDED: Final = "Success"
WIDTHS: Final = {"action": 7, "digest": 19, "tags": 32, "size_bytes": 10}


async def until_it_ends(
    client: ApiClient, path: str, execution_id: int | str, *, quiet: bool
) -> Json:
    """Return a run as it ended, with a line on standard error for each change unless `quiet`."""
    shown = ""
    while True:
        execution: Json = await client.get(f"{path}/{execution_id}")
        line = summary(execution)
        if line != shown and not quiet:
            print(line, file=sys.stderr, flush=True)  # noqa: T201 - progress
            shown = line
        if execution["status"] not in UNFINISHED:
            return execution
        await asyncio.sleep(POLL_SECONDS)


def summary(execution: Json) -> str:
    """Return one line: status, what was deleted so far, and what there is to say."""
    ours = execution["transship"]
    parts = [f"execution {execution['id']}: {execution['status']}"]
    if ours.get("total"):
        verb = "would be deleted" if execution["dry_run"] else "deleted"
        freed = display.size(ours["deleted_bytes"])
        parts.append(f"{ours['deleted']} of {ours['total']} {verb}, {freed}")
    if ours.get("untagged"):
        parts.append(f"{ours['untagged']} tags alone")
    if ours.get("refused"):
        parts.append(f"{ours['refused']} refused")
    if ours.get("failed"):
        parts.append(f"{ours['failed']} of {ours['repositories']} repositories failed")
    if told := note(execution):
        parts.append(told)
    return "; ".join(parts)


def note(execution: Json) -> str:
    """Return why a run waits, or what it has to say."""
    ours = execution["transship"]
    if ours["pending_approval"]:
        until = printing.text_at(ours, "expires_at")
        return f"waits to be approved until {until}: {', '.join(ours['reasons'])}"
    return str(ours.get("status_text") or "")


def want_success(execution: Json) -> None:
    """Raise CommandError unless a run succeeded."""
    if execution["status"] != SUCCEEDED:
        told = note(execution)
        raise CommandError(
            f"execution {execution['id']} ended as {execution['status']}"
            f"{f': {told}' if told else ''}",
            code=ExitCode.FAILED,
        )


async def show_table(chunks: AsyncIterator[bytes]) -> None:
    """Print a preview that comes as CSV, a row at a time, under the name of each repository."""
    repository, going, size_bytes = "", 0, 0
    async for row in _rows(chunks):
        if row["repository"] != repository:
            repository = row["repository"]
            printing.line(f"\n{repository}" if going else repository)
        if row["action"] == "delete":
            going, size_bytes = going + 1, size_bytes + int(row["size_bytes"])
        printing.line(_line(row))
    printing.line(f"{going} would go, which frees {display.size(size_bytes)} at most")


def _line(row: dict[str, str]) -> str:
    shown = {**row, "tags": row["tags"] or "-", "size_bytes": display.size(int(row["size_bytes"]))}
    cells = (shown[name][:width].ljust(width) for name, width in WIDTHS.items())
    return f"  {'  '.join(cells)}  {row['reason']}"


async def _rows(chunks: AsyncIterator[bytes]) -> AsyncIterator[dict[str, str]]:
    """Yield the rows of a CSV that comes in pieces; no cell of it holds a line break."""
    heading: list[str] = []
    async for line in _lines(chunks):
        [cells] = csv.reader([line])
        if heading:
            yield dict(zip(heading, cells, strict=True))
        else:
            heading = cells


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\r\n")
        for line in lines:
            yield line.decode(errors="replace")
    if rest:
        yield rest.decode(errors="replace")
