"""`transship schedule`: what starts by itself, and when."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from jobservice.cli import api_client, printing, timing
from jobservice.cli.api_client import Json

PATH = "/schedules"
PAUSED = f"{PATH}/all/paused"
SHOWN_FIRES = 10
COLUMNS = {
    "ID": "id",
    "WHAT": "what",
    "CRON": "cron",
    "ZONE": "transship.time_zone",
    "NEXT": "transship.next_fire_at",
    "LAST": "transship.last_fire_at",
    "SUCCEEDED": "transship.last_success_at",
    "STATE": "state",
}
FIRES = {
    "FIRE TIME": "fire_time",
    "OUTCOME": "outcome",
    "EXECUTION": "execution_id",
    "DETAIL": "detail",
}

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="What starts by itself, and when."
)


@app.command("list")
def list_schedules(*, as_json: printing.AsJson = False) -> None:
    """Show every schedule with its next run."""

    async def ask() -> list[Json]:
        async with api_client.connected() as client:
            return await client.listed(PATH)

    found = asyncio.run(ask())
    if as_json:
        printing.as_json(found)
        return
    printing.rows([_described(one) for one in found], COLUMNS, machine=False)
    for pause in [one["transship"]["pause"] for one in found if "pause" in one["transship"]][:1]:
        printing.line(_paused(pause))


@app.command()
def show(
    schedule_id: Annotated[int, typer.Argument(metavar="ID", min=1)],
    *,
    as_json: printing.AsJson = False,
) -> None:
    """Show one schedule, its next five runs and what became of the last ten."""

    async def ask() -> tuple[Json, list[Json]]:
        async with api_client.connected() as client:
            found: Json = await client.get(f"{PATH}/{schedule_id}")
            fires: list[Json] = await client.get(
                f"{PATH}/{schedule_id}/fires", page_size=SHOWN_FIRES
            )
            return found, fires

    found, fires = asyncio.run(ask())
    if as_json:
        printing.as_json({**found, "fires": fires})
        return
    ours = found.pop("transship")
    runs, pause = ours.pop("next_runs"), ours.pop("pause", None)
    printing.details({**found, **ours}, machine=False)
    for run in runs:
        printing.line(f"next run: {run}")
    if pause is not None:
        printing.line(_paused(pause))
    if fires:
        printing.line("")
        printing.rows(fires, FIRES, machine=False)


@app.command()
def preview(
    cron: Annotated[str, typer.Argument(metavar="EXPRESSION", help="'0 30 2 * * *'")],
    *,
    time_zone: timing.TimeZone = "UTC",
    as_json: printing.AsJson = False,
) -> None:
    """Show the next five runs of any expression, or say what is wrong with it."""

    async def ask() -> Json:
        async with api_client.connected() as client:
            found: Json = await client.get(f"{PATH}/preview", cron=cron, time_zone=time_zone)
            return found

    found = asyncio.run(ask())
    if as_json:
        printing.as_json(found)
        return
    times = zip(found["next_runs"], found["wall_times"], strict=True)
    rows = [{"utc": run, "wall": wall} for run, wall in times]
    printing.rows(rows, {"UTC": "utc", found["time_zone"]: "wall"}, machine=False)


@app.command()
def pause(
    *,
    comment: Annotated[str, typer.Option("--comment", help="Why, for others to read.")] = "",
    as_json: printing.AsJson = False,
) -> None:
    """Hold all schedules back; what runs goes on."""
    _set_paused({"paused": True, "comment": comment})
    if as_json:
        printing.as_json({"paused": True})
    else:
        printing.line("schedules are paused; `transship schedule resume` lets them go on")


@app.command()
def resume(*, as_json: printing.AsJson = False) -> None:
    """Let schedules go on; each decides what to do about the runs it missed."""
    _set_paused({"paused": False})
    if as_json:
        printing.as_json({"paused": False})
    else:
        printing.line("schedules go on")


def _set_paused(body: Json) -> None:
    async def ask() -> None:
        async with api_client.connected() as client:
            await client.send("PUT", PAUSED, body=body)

    asyncio.run(ask())


def _described(one: Json) -> Json:
    what = one["vendor_type"].lower()
    return {
        **one,
        "what": what if one["vendor_id"] < 0 else f"{what} {one['vendor_id']}",
        "state": _state(one["transship"]),
    }


def _state(ours: Any) -> str:
    if not ours["enabled"]:
        return "disabled"
    if "pause" in ours:
        return "paused"
    if ours["is_overdue"]:
        return "overdue"
    return "waiting" if "next_fire_at" in ours else "ended"


def _paused(pause: Json) -> str:
    comment = f": {pause['comment']}" if pause.get("comment") else ""
    since = printing.text_at(pause, "paused_at")
    return f"schedules are paused by {pause['paused_by']} since {since}{comment}"
