"""When a policy runs by itself, as options of commands: `--every 6h`, `--cron`, or `--on-push`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import typer

from jobservice.cli.errors import UsageError

PERIOD: Final = re.compile(r"([0-9]{1,3})([mhdw])")
MINUTES: Final = (5, 6, 10, 12, 15, 20, 30)
HOURS: Final = (1, 2, 3, 4, 6, 8, 12)
KNOWN: Final = "5m, 10m, 15m, 20m, 30m, 1h, 2h, 3h, 4h, 6h, 8h, 12h, 1d or 1w"
WANTS_EXPRESSION: Final = "--time-zone, --jitter and --skip-late want --every or --cron"

Every = Annotated[str, typer.Option("--every", metavar="PERIOD", help=KNOWN)]
Cron = Annotated[
    str,
    typer.Option(
        "--cron", metavar="EXPRESSION", help="Six fields, second (0) first: '0 30 2 * * *'."
    ),
]
_TIME_ZONE = typer.Option("--time-zone", metavar="ZONE", help="As Europe/Berlin.")
_JITTER = typer.Option("--jitter", min=0, metavar="SECONDS", help="Start up to so much later.")
_LATE = "Leave out what nobody could start in time."
TimeZone = Annotated[str, _TIME_ZONE]
Jitter = Annotated[int, _JITTER]
SkipLate = Annotated[bool, typer.Option("--skip-late", help=_LATE)]
# For what is there already: None leaves it as it is.
ChangedTimeZone = Annotated[str | None, _TIME_ZONE]
ChangedJitter = Annotated[int | None, _JITTER]
ChangedSkipLate = Annotated[bool | None, typer.Option("--skip-late/--run-late", help=_LATE)]
OnPush = Annotated[
    bool, typer.Option("--on-push", help="Copy what is pushed to the server's own registry.")
]
_DELETIONS = "With --on-push: delete there what is deleted here."
Deletions = Annotated[bool, typer.Option("--deletions", help=_DELETIONS)]
ChangedDeletions = Annotated[
    bool | None, typer.Option("--deletions/--no-deletions", help=_DELETIONS)
]


def cron_of(period: str) -> str:
    """Return the expression for a period that divides an hour or a day; raise UsageError."""
    match = PERIOD.fullmatch(period)
    count, unit = (int(match[1]), match[2]) if match else (0, "")
    if unit == "m" and count in MINUTES:
        return f"0 */{count} * * * *"
    if unit == "h" and count in HOURS:
        return "0 0 * * * *" if count == 1 else f"0 0 */{count} * * *"
    expression = {"1d": "0 0 0 * * *", "24h": "0 0 0 * * *", "1w": "0 0 0 * * 0"}.get(period)
    if expression is None:
        raise UsageError(f"--every {period}: choose {KNOWN}, or say it with --cron")
    return expression


def on_push(*, on_push: bool, deletions: bool) -> dict[str, Any]:
    """Return the fields of a policy that follows events, if it does; raise UsageError."""
    if deletions and not on_push:
        raise UsageError("--deletions wants --on-push")
    return {"trigger": {"type": "event_based"}, "deletion": deletions} if on_push else {}


def expression(every: str, cron: str) -> str:
    """Return what --every or --cron says, nothing where neither does; raise UsageError."""
    if every and cron:
        raise UsageError("--every and --cron say the same thing: leave out one of them")
    return cron_of(every) if every else cron


def trigger(
    every: str, cron: str, *, time_zone: str, jitter: int, skip_late: bool
) -> dict[str, Any]:
    """Return the fields of a policy that say when it runs; raise UsageError."""
    said = expression(every, cron)
    if not said:
        if time_zone or jitter or skip_late:
            raise UsageError(WANTS_EXPRESSION)
        return {"trigger": {"type": "manual"}}
    schedule: dict[str, Any] = {"jitter_seconds": jitter}
    schedule |= {"time_zone": time_zone} if time_zone else {}
    schedule |= {"misfire": "skip"} if skip_late else {}
    return {
        "trigger": {
            "type": "scheduled",
            "trigger_settings": {"cron": said},
        },
        "transship": {"schedule": schedule},
    }
