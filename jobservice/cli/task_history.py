"""What one task went through, at a terminal or in a pipe: its timeline and its log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from jobservice.cli import event_stream, printing
from jobservice.cli.api_client import ApiClient, Json

LAST = 6


async def timeline(client: ApiClient, task_id: int) -> list[Json]:
    """Return every step of a task's life, the first one first; raise ServerError."""
    found: list[Json] = await client.get(f"/tasks/{task_id}/timeline")
    return found


def lines(steps: Sequence[Json]) -> Iterator[str]:
    """Yield a line for each step: when, how long after the one before, what, by whom, and why."""
    before: datetime | None = None
    for step in steps:
        at = datetime.fromisoformat(step["occurred_at"])
        after = f"+{(at - before).total_seconds():.1f} s" if before else ""
        before = at
        parts = [f"{at:%Y-%m-%d %H:%M:%S}", f"{after:>10}", f"{step['becomes']:9}", *_facts(step)]
        yield "  ".join(parts).rstrip()


def last_lines(steps: Sequence[Json], task_id: int) -> Iterator[str]:
    """Yield the lines of the last steps, and where those before them are shown."""
    shown = [*lines(steps)]
    if len(shown) > LAST:
        yield f"{len(shown) - LAST} steps before: `transship task timeline {task_id}`"
    yield from shown[-LAST:]


def _facts(step: Json) -> Iterator[str]:
    if step.get("worker_id"):
        yield f"worker {step['worker_id']}" + (
            f" on {step['worker']}" if step.get("worker") else ""
        )
    if step["attempt"] > 1:
        yield f"attempt {step['attempt']}"
    if step.get("reason"):
        yield step["reason"]


async def show_log(
    client: ApiClient, task_id: int, *, follow: bool, search: str | None, machine: bool
) -> None:
    """Print a task's log, or those of its lines that contain a text; follow it to its end."""
    path = f"/tasks/{task_id}/log"
    if not follow:
        reply = await client.send("GET", path, query={"contains": search})
        _print(reply.body.decode(errors="replace"), machine=machine)
        return
    async for event in event_stream.followed(client, path, follow="true", contains=search):
        if event.name == "log":
            _print(event.data["text"], machine=machine)


def _print(text: str, *, machine: bool) -> None:
    for line in text.splitlines():
        printing.compact({"line": line}) if machine else printing.line(line)
