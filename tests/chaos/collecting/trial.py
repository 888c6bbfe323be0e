"""One trial: owners at work while collectors and jobs run and processes die; quiet, and a look."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from database.pool import Database
from protocol.transport import Transport
from registry.service import Registry
from tests.acceptance.house import Api
from tests.chaos import places
from tests.chaos.collecting import collector, crowd, haste, naive, policy, witness
from tests.chaos.collecting.judging import Judge
from tests.chaos.collecting.keeper import Keeper, Ward
from tests.chaos.collecting.owner import Owner
from tests.chaos.collecting.stage import Stage
from tests.chaos.places import KilledHouse, Place

PATIENCE_SECONDS = 120.0
# Of Harbor's rules in one project, of our own in the other.
PROJECTS = {"library": policy.HARBOR, "team": policy.OWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How to try: `rounds` of so many seconds, each followed by a quiet point.

    `kills`: processes die. `stops_at_first`: the first loss is enough. `patience_seconds`: how long
    what is to be collected may take when all is quiet.
    """

    seconds: float
    rounds: int
    seed: int
    variant: str = collector.OURS
    on_s3: bool = False
    kills: bool = True
    stops_at_first: bool = False
    patience_seconds: float = PATIENCE_SECONDS

    @property
    def is_ours(self) -> bool:
        """Whether the product is tried, with its jobs."""
        return self.variant == collector.OURS


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What a trial came to: what is missing or wrong, and what is there and should be gone.

    `wrong` are counters that say something else than what they count.
    """

    counts: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0


def _tell_nobody(_: str) -> None:
    """Keep it."""


async def run(folder: Path, wish: Wish, tell: Callable[[str], None] = _tell_nobody) -> Verdict:
    """Try; after each round `tell` how it went so far."""
    began = time.monotonic()
    chance = random.Random(wish.seed)  # noqa: S311 - moments and content, not secrets
    at = places.bucket(chance) if wish.on_s3 else places.folder(folder / "storage")
    verdict = Verdict()
    async with (
        at as place,
        places.house(folder, place) as house,
        _staged(house, place, wish, chance) as (stage, judge),
    ):
        for number in range(1, wish.rounds + 1):
            await stage.round(wish.seconds)
            await judge.judge(verdict)
            tell(
                f"round {number} of {wish.rounds}, {time.monotonic() - began:.0f} s: "
                f"{len(verdict.lost)} lost, {len(verdict.left)} left, {len(verdict.wrong)} wrong"
            )
            if verdict.lost and wish.stops_at_first:
                break
        if wish.is_ours:
            await judge.judge_untagged(verdict)
        for one in (*(owner.counts for owner in stage.owners), stage.counts, judge.counts):
            verdict.counts += one
        if stage.keeper is not None:
            verdict.counts += stage.keeper.counts
    verdict.seconds = time.monotonic() - began
    return verdict


@asynccontextmanager
async def _staged(
    house: KilledHouse, place: Place, wish: Wish, chance: random.Random
) -> AsyncIterator[tuple[Stage, Judge]]:
    async with AsyncExitStack() as stack:
        connection = await house.connect()
        stack.push_async_callback(connection.close)
        await haste.begin(connection)
        await witness.begin(connection)
        if not wish.is_ours:
            await naive.take_the_net_away(connection)
        storage = await stack.enter_async_context(place.open())
        database = await Database.connect(
            house.postgres.dsn(), application_name="owners", max_size=crowd.OWNERS + len(PROJECTS)
        )
        stack.push_async_callback(database.close)
        transport = await stack.enter_async_context(Transport())
        session = await stack.enter_async_context(aiohttp.ClientSession())
        owners = await crowd.gather(
            house, database, Registry(database, storage), transport, chance, projects=[*PROJECTS]
        )
        keeper, wards = None, []
        if wish.is_ours:
            keeper = Keeper(
                api=Api(house.url, session),
                database=database,
                chance=random.Random(chance.random()),  # noqa: S311 - as above
                patience_seconds=wish.patience_seconds,
            )
            wards = [await _ward(keeper, name, owners) for name in PROJECTS]
        stage = Stage(
            house=house,
            place=place,
            kills=wish.kills,
            stops_at_first=wish.stops_at_first,
            variant=wish.variant,
            chance=chance,
            connection=connection,
            owners=owners,
            keeper=keeper,
            wards=wards,
        )
        stack.push_async_callback(stage.end_programs)
        await stage.heal()
        judge = Judge(
            stage=stage,
            connection=connection,
            storage=storage,
            patience_seconds=wish.patience_seconds,
        )
        yield stage, judge


async def _ward(keeper: Keeper, name: str, owners: Sequence[Owner]) -> Ward:
    """Put a project under retention."""
    project_id = await keeper.project(name)
    policies = PROJECTS[name]
    return Ward(
        project_id=project_id,
        policy_id=await keeper.policy(project_id, policies[0]),
        policies=policies,
        owners=[one for one in owners if one.store.repository.startswith(f"{name}/")],
    )
