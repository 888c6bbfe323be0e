"""`make crashes`: the API is killed again and again while thousands of pushes are under way.

Exits with 1 if anything that was acknowledged is missing or changed, or anything dangles.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp

from database.pool import Database
from registry.care.fault import Finding
from registry.care.verifying import Verification, Wish
from registry.maintenance import sweep_partials
from tests.chaos import places
from tests.chaos.house import House
from tests.chaos.places import KilledHouse, Place
from tests.chaos.pushing import Crowd

PUSHES = 10_000
KILLS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the pushes: `wrong` and `findings` have to be empty.

    `swept` are partial objects of no upload, which the hourly sweep takes when they are a day old.
    """

    images: int
    blobs: int
    requests: int
    interrupted: int
    kills: int
    failed_calls: int
    seconds: float
    wrong: Sequence[str]
    swept: int
    findings: Sequence[Finding]


async def trial(
    folder: Path, *, pushes: int, kills: int, seed: int, on_s3: bool = False
) -> Outcome:
    """Push while the API is killed at any moment; then look at everything.

    An S3 is moto's, behind a proxy that fails every tenth call, each time in another way.
    """
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    began = time.monotonic()
    async with (
        places.bucket(chance) if on_s3 else places.folder(folder / "storage") as place,
        places.house(folder, place) as house,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        crowd = Crowd(url=house.url, session=session)
        crowd.up.set()
        async with asyncio.TaskGroup() as group:
            pushing = group.create_task(crowd.push(pushes))
            struck = group.create_task(_strike(house, crowd, chance, kills, pushes=pushes))
            await pushing
            struck.cancel()
        failed_calls, seconds = place.calm(), time.monotonic() - began
        ledger = crowd.ledger
        wrong = await crowd.pulled_wrong()
        swept, findings = await _judged(house, place)
        return Outcome(
            images=len(ledger.images),
            blobs=len(ledger.blobs),
            requests=ledger.requests,
            interrupted=ledger.interrupted,
            kills=house.kills,
            failed_calls=failed_calls,
            seconds=seconds,
            wrong=wrong,
            swept=swept,
            findings=findings,
        )


async def _strike(
    house: KilledHouse, crowd: Crowd, chance: random.Random, kills: int, *, pushes: int
) -> None:
    """Kill the API after any number of requests, and start it again at once."""
    between = 2 * REQUESTS_A_PUSH * pushes // (kills + 1)
    while True:
        await crowd.ledger.after(chance.randint(1, between))
        crowd.up.clear()
        await house.kill_api()
        crowd.up.set()


# What a push takes when nothing is shared and nobody dies.
REQUESTS_A_PUSH = 13


async def _judged(house: House, place: Place) -> tuple[int, list[Finding]]:
    """Sweep as a day later, and audit everything; what is a moment old, too."""
    none_is_too_young = timedelta(0)
    database = await Database.connect(house.postgres.dsn(), application_name="crashes", max_size=6)
    try:
        async with place.open() as storage:
            swept = await sweep_partials(database, storage, older_than=none_is_too_young)
            audit = Verification(database, storage, Wish(safe_age=none_is_too_young))
            return swept, [one async for one in audit.run() if one is not None]
    finally:
        await database.close()


def main() -> int:
    """Push, kill, look; say what came of it."""
    parser = argparse.ArgumentParser(prog="make crashes", description=__doc__)
    parser.add_argument("--pushes", type=int, default=PUSHES)
    parser.add_argument("--kills", type=int, default=KILLS, help="about how many")
    parser.add_argument("--s3", action="store_true", help="on S3, of which every tenth call fails")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tscrash-") as name:
        outcome = asyncio.run(
            trial(
                Path(name) / "house",
                pushes=wanted.pushes,
                kills=wanted.kills,
                seed=wanted.seed,
                on_s3=wanted.s3,
            )
        )
    sys.stdout.write(
        f"seed {wanted.seed}: {outcome.images} images ({outcome.blobs} blobs) acknowledged in "
        f"{outcome.seconds:.0f} s, {outcome.requests} requests, the API killed {outcome.kills} "
        f"times, {outcome.failed_calls} calls to S3 failed, {outcome.interrupted} pushes begun "
        f"again; {len(outcome.wrong)} missing or changed, {outcome.swept} left-overs swept, "
        f"{len(outcome.findings)} findings\n"
    )
    for line in (*outcome.wrong, *map(str, outcome.findings)):
        sys.stdout.write(f"  {line}\n")
    return int(bool(outcome.wrong or outcome.findings))


if __name__ == "__main__":
    sys.exit(main())
