"""An execution followed until it ends."""

from __future__ import annotations

import asyncio
import sys
from typing import Final

from jobservice.cli import printing
from jobservice.cli.api_client import ApiClient, Json
from jobservice.cli.errors import CommandError

POLL_SECONDS: Final = 0.5
IN_PROGRESS: Final = "InProgress"
SUCCEEDED: Final = "Succeed"
COUNTS: Final = ("total", "succeed", "failed", "in_progress", "stopped")


async def until_it_ends(client: ApiClient, execution_id: int, *, quiet: bool) -> Json:
    """Return the execution as it ended, showing its counts as they change unless `quiet`."""
    live = sys.stderr.isatty() and not quiet
    shown = ""
    while True:
        execution: Json = await client.get(f"/replication/executions/{execution_id}")
        line = summary(execution)
        if line != shown and not quiet:
            print(f"\r\033[K{line}" if live else line, end="" if live else "\n", file=sys.stderr)  # noqa: T201 - progress
            sys.stderr.flush()
            shown = line
        if execution["status"] != IN_PROGRESS:
            if live:
                print(file=sys.stderr)  # noqa: T201 - the end of the live line
            return execution
        await asyncio.sleep(POLL_SECONDS)


def summary(execution: Json) -> str:
    """Return one line: status and counts."""
    counts = ", ".join(
        f"{execution[name]} {name.replace('_', ' ')}" for name in COUNTS if execution.get(name)
    )
    return f"execution {execution['id']}: {execution['status']}{f' ({counts})' if counts else ''}"


def want_success(execution: Json) -> None:
    """Raise CommandError unless the execution succeeded."""
    if execution["status"] == SUCCEEDED:
        return
    reason = execution.get("status_text") or ""
    raise CommandError(
        f"{summary(execution)}{': ' + reason if reason else ''}; "
        f"`transship execution tasks {execution['id']}` lists its tasks"
    )


def show(execution: Json, *, machine: bool) -> None:
    """Print how an execution stands."""
    printing.details(execution, machine=machine)
