"""The owners: three to a repository, repositories in turn in each project."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from access.identity import SYSTEM
from database.pool import Database
from protocol.client.registry import RegistryClient
from protocol.credential import Credential
from protocol.digest import Digest
from protocol.retrying import Patience
from protocol.transport import Transport
from registry.collection import undeleting
from registry.collection.errors import UndeleteError
from registry.service import Registry
from tests.acceptance.house import PASSWORD
from tests.chaos.collecting import contents
from tests.chaos.collecting.model import Model
from tests.chaos.collecting.owner import Back, Owner
from tests.chaos.places import KilledHouse

OWNERS = 12
REPOSITORIES = 4
DAWDLE_SECONDS = 0.3


async def gather(
    house: KilledHouse,
    database: Database,
    registry: Registry,
    transport: Transport,
    chance: random.Random,
    *,
    projects: Sequence[str],
) -> Sequence[Owner]:
    """Return owners; every other one comes over the wire."""
    client = RegistryClient(
        transport,
        url=house.url,
        credential=Credential(username="admin", password=PASSWORD),
        patience=Patience(attempts=1),
    )
    names = [f"{projects[one % len(projects)]}/gc-{one}" for one in range(REPOSITORIES)]
    for name in names:
        await registry.prepare(name)

    async def pause() -> None:
        await asyncio.sleep(chance.random() * DAWDLE_SECONDS)

    async def ask_back(repository: str, digest: Digest) -> Back | None:
        try:
            back = await undeleting.undelete(database, repository, str(digest), by="owner")
        except UndeleteError:
            return None
        return back.digests, back.tags

    found = []
    for number in range(OWNERS):
        name = names[number % REPOSITORIES]
        by_wire = number // REPOSITORIES % 2 == 0
        store = (
            client.repository(name, writes=True) if by_wire else registry.repository(name, SYSTEM)
        )
        found.append(
            Owner(
                model=Model(universe=contents.universe(number)),
                store=store,
                others=names,
                chance=random.Random(chance.random()),  # noqa: S311 - choices, not secrets
                pause=pause,
                undelete=ask_back,
                number=number,
                by_wire=by_wire,
            )
        )
    return found
