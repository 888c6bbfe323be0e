"""An execution followed until it ends."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from typing import Final

from jobservice.cli import display, event_stream
from jobservice.cli.api_client import ApiClient, Json, ServerError
from jobservice.cli.errors import CommandError
from protocol.errors import ProtocolError

POLL_SECONDS: Final = 0.5
IN_PROGRESS: Final = "InProgress"
UNFINISHED: Final = ("pending", "running")
SUCCEEDED: Final = "Succeed"
UNFINISHED_JOB: Final = frozenset({"Pending", "Running"})
FAILED: Final = "Failed"
COUNTS: Final = ("total", "succeed", "failed", "in_progress", "stopped")
EXAMPLES: Final = 3


async def until_it_ends(client: ApiClient, execution_id: int, *, quiet: bool) -> Json:
    """Return the execution as it ended, showing how far it is as that changes unless `quiet`.

    Listens to the server's events; asks again and again where that does not work. Raise
    CommandError, with the reasons, unless it succeeded; but not when `quiet`.
    """
    screen = Screen(quiet=quiet)
    await _listen(client, execution_id, screen)
    while True:
        execution: Json = await client.get(f"/replication/executions/{execution_id}")
        screen.show(summary(execution))
        if execution["status"] != IN_PROGRESS:
            screen.end()
            if not quiet:
                await _want_success(client, execution)
            return execution
        await asyncio.sleep(POLL_SECONDS)


class Screen:
    """One line that changes on a terminal, a line for each change in a pipe; nothing if quiet."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._is_live = sys.stderr.isatty() and not quiet
        self._shown = ""

    def show(self, line: str) -> None:
        """Show a line unless it stands there already."""
        if line == self._shown or self._quiet:
            return
        text, end = (f"\r\033[K{line}", "") if self._is_live else (line, "\n")
        print(text, end=end, file=sys.stderr, flush=True)  # noqa: T201 - progress
        self._shown = line

    def end(self) -> None:
        """Leave the live line."""
        if self._is_live:
            print(file=sys.stderr)  # noqa: T201 - the end of the live line


async def until_job_ends(
    client: ApiClient, path: str, told: Callable[[Json], str], *, status: str, quiet: bool
) -> Json:
    """Return a job as it ended, showing what is `told` of it as that changes unless `quiet`.

    `status` is the field in which Harbor has a job's state.
    """
    screen = Screen(quiet=quiet)
    while True:
        job: Json = await client.get(path)
        screen.show(told(job))
        if job[status] not in UNFINISHED_JOB:
            screen.end()
            return job
        await asyncio.sleep(POLL_SECONDS)


async def _listen(client: ApiClient, execution_id: int, screen: Screen) -> None:
    """Show what the server tells until the execution has ended, or the server tells no more."""
    with contextlib.suppress(ServerError, ProtocolError):
        async for event in event_stream.events(client, f"/executions/{execution_id}/events"):
            if event.name != "execution":
                continue
            if event.data["status"] not in UNFINISHED:
                return
            screen.show(progress(event.data))


def progress(told: Json) -> str:
    """Return one line about an execution that goes on; what nobody can tell is left out."""
    ended = told["succeeded"] + told["failed"] + told["stopped"]
    parts = [f"{ended} of {told['total']} tasks"]
    if told["failed"]:
        parts.append(f"{told['failed']} failed")
    total = told["bytes_total"]
    of_total = f" of {display.size(total)}" if total is not None else ""
    parts.append(f"{display.size(told['bytes_done'])}{of_total}")
    if told["bytes_per_second"] is not None:
        parts.append(f"{display.size(told['bytes_per_second'])}/s")
    if told["seconds_left"] is not None:
        parts.append(f"{told['seconds_left']} s left")
    return f"execution {told['id']}: {told['status']}, {', '.join(parts)}"


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
