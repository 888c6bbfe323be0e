"""A run of retention followed until it ends, and told in a line."""

from __future__ import annotations

import sys
from typing import Final

from jobservice.cli import display, printing, watching
from jobservice.cli.api_client import ApiClient, Json
from jobservice.cli.errors import CommandError
from jobservice.cli.exit_codes import ExitCode

SUCCEEDED: Final = "Success"


async def until_it_ends(
    client: ApiClient, path: str, execution_id: int | str, *, quiet: bool
) -> Json:
    """Return a run as it ended, showing how far it is as that changes unless `quiet`.

    What looks like a typo in its rules is said at the end.
    """
    at = f"{path}/{execution_id}"
    run = await watching.until_job_ends(client, at, summary, status="status", quiet=quiet)
    said = summary(run)
    for remark in [] if quiet else run["transship"].get("remarks", []):
        if remark not in said:
            print(f"NOTE: {remark}", file=sys.stderr, flush=True)  # noqa: T201 - a remark
    return run


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
    """Return why a run waits and how it goes on, or what it has to say."""
    ours = execution["transship"]
    if ours["pending_approval"]:
        until = printing.text_at(ours, "expires_at")
        why = "; ".join(ours["reasons"])
        named = f"{execution['policy_id']} {execution['id']}"
        answer = f"`transship retention approve {named}`, or `reject`"
        return f"waits to be approved until {until} ({answer}): {why}"
    parts = [_answered(ours), str(ours.get("status_text") or "")]
    return "; ".join(part for part in parts if part)


def _answered(ours: Json) -> str:
    match ours.get("approval"):
        case "approved" | "rejected" as answer:
            return f"{answer} by {ours['answered_by']}"
        case "expired":
            return "nobody approved in time, and nothing was deleted"
        case _:
            return ""


def want_success(execution: Json) -> None:
    """Raise CommandError unless a run succeeded."""
    if execution["status"] != SUCCEEDED:
        told = note(execution)
        raise CommandError(
            f"execution {execution['id']} ended as {execution['status']}"
            f"{f': {told}' if told else ''}",
            code=ExitCode.FAILED,
        )
