"""An execution followed until it ends."""

from __future__ import annotations

import asyncio
import sys
from typing import Final

from jobservice.cli import display
from jobservice.cli.api_client import ApiClient, Json
from jobservice.cli.errors import CommandError

POLL_SECONDS: Final = 0.5
IN_PROGRESS: Final = "InProgress"
SUCCEEDED: Final = "Succeed"
FAILED: Final = "Failed"
COUNTS: Final = ("total", "succeed", "failed", "in_progress", "stopped")
EXAMPLES: Final = 3


async def until_it_ends(client: ApiClient, execution_id: int, *, quiet: bool) -> Json:
    """Return the execution as it ended, showing its counts as they change unless `quiet`.

    Raise CommandError, with the reasons, unless it succeeded; but not when `quiet`.
    """
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
            if not quiet:
                await _want_success(client, execution)
            return execution
        await asyncio.sleep(POLL_SECONDS)


def summary(execution: Json) -> str:
    """Return one line: status, counts, and once it ended what it took and what there is to say."""
    counts = ", ".join(
        f"{execution[name]} {name.replace('_', ' ')}" for name in COUNTS if execution.get(name)
    )
    line = f"execution {execution['id']}: {execution['status']}{f' ({counts})' if counts else ''}"
    if execution["status"] == IN_PROGRESS:
        return line
    parts = [line, _effort(execution), execution.get("status_text") or ""]
    return "; ".join(part for part in parts if part)


def want_success(execution: Json) -> None:
    """Raise CommandError unless the execution succeeded."""
    if execution["status"] != SUCCEEDED:
        raise CommandError(f"execution {execution['id']} ended as {execution['status']}")


async def _want_success(client: ApiClient, execution: Json) -> None:
    """Raise CommandError with the first reasons unless the execution succeeded."""
    if execution["status"] == FAILED and execution["failed"]:
        path = f"/replication/executions/{execution['id']}/tasks"
        failed: list[Json] = await client.get(path, status=FAILED, page_size=EXAMPLES)
        told = [f"task {task['id']}: {reason(task)}" for task in failed]
        more = execution["failed"] - len(failed)
        if more > 0:
            told.append(f"{more} more: transship execution tasks {execution['id']}")
        raise CommandError("\n".join(told))
    want_success(execution)


def reason(task: Json) -> str:
    """Return why a task failed; empty if it did not."""
    error = (task.get("transship") or {}).get("error") or {}
    return str(error.get("message") or "")


def examples(outcome: Json) -> str:
    """Return how much was left out for one reason, and the first few by name."""
    named = outcome["examples"][:EXAMPLES]
    more = ", …" if outcome["count"] > len(named) else ""
    return f"{outcome['count']} ({', '.join(named)}{more})"


def _effort(execution: Json) -> str:
    took = execution.get("transship") or {}
    if not took or not execution.get("total"):
        return ""
    moved = display.size(took["bytes_copied"])
    saved = display.size(took["bytes_saved"])
    unchanged = f"{took['unchanged']} up to date, " if took["unchanged"] else ""
    return f"{unchanged}{moved} moved, {saved} not moved again, {took['requests']} requests"
