"""Several things asked for at the same time, each with its answer or its error."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

Answer = TypeVar("Answer")


async def together(*asked: Awaitable[Answer]) -> list[Answer | Exception]:
    """Await all of them at once; errors are answers."""

    async def answered(one: Awaitable[Answer]) -> Answer | Exception:
        try:
            return await one
        except Exception as error:  # noqa: BLE001  it is the answer
            return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(answered(one)) for one in asked]
    return [task.result() for task in tasks]
