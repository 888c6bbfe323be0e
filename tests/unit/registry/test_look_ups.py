"""What becomes of those who wait for a look-up that fails."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

from database.errors import DatabaseUnavailable
from database.pool import Database
from registry.look_ups import AT_ONCE, LARGEST_TURN, LookUps
from registry.metadata.manifests import Wanted
from tests.fakes.together import together


class Away:
    """A database that cannot be reached."""

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        if await asyncio.sleep(0, result=True):
            raise DatabaseUnavailable("away")
        yield


async def test_everybody_hears_why_there_is_no_answer() -> None:
    look_ups = LookUps(cast("Database", Away()))
    wanted = Wanted("library/app", "1.0")
    for many in (LARGEST_TURN * 3, AT_ONCE + 1):
        async with asyncio.timeout(60):
            answers = await together(*(look_ups.find(wanted, with_body=True) for _ in range(many)))
        assert [type(answer) for answer in answers] == [DatabaseUnavailable] * many
