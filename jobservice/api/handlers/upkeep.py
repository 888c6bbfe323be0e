"""What the handlers of upkeep jobs share: Harbor asks for all of them in one way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel

from jobservice.api import answering, listing
from jobservice.api.harbor import upkeep as harbor
from jobservice.api.models.base import Nothing
from jobservice.api.models.upkeep import HistoryQuery, Schedule
from jobservice.api.querying import FieldType
from jobservice.api.router import Call
from jobservice.upkeep import Parameters, Upkeep, UpkeepRun

# In Harbor's words, and in the store's.
FIELDS: Final = {
    "id": FieldType.INTEGER,
    "start_time": FieldType.TIME,
    "end_time": FieldType.TIME,
}
ScheduleCall = Call[Nothing, Nothing, Schedule]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Answers for one kind: where it is asked for, and what its parameters may be."""

    upkeep: Upkeep
    root: str
    known: tuple[str, ...]
    shown: Callable[[UpkeepRun], BaseModel]
    problems: Callable[[Schedule], Iterator[str]]
    parameters: Callable[[Schedule], Parameters]

    async def runs(self, call: Call[Nothing, HistoryQuery, Nothing]) -> web.Response:
        """Answer with one page of runs, the latest first."""
        asked = listing.asked(call, FIELDS, latest_first=True)
        found = await self.upkeep.page(call.services.database, asked)
        return listing.answer(call, asked, found, self.shown)

    async def run(self, call: Call[Any, Nothing, Nothing], identity: int) -> web.Response:
        """Answer with a run."""
        return answering.json(self.shown(await self.upkeep.get(call.services.database, identity)))

    async def stop(self, call: Call[Any, Nothing, Nothing], identity: int) -> web.Response:
        """Stop a run."""
        await self.upkeep.stop(call.services.database, identity, by=call.principal.username)
        return web.Response()

    async def log(self, call: Call[Any, Nothing, Nothing], identity: int) -> web.Response:
        """Answer with what a run wrote down."""
        text = await self.upkeep.log(call.services.database, identity)
        return web.Response(text=text, content_type="text/plain")

    async def schedule(self, call: Call[Nothing, Nothing, Nothing]) -> web.Response:
        """Answer with the schedule; an empty object where there is none."""
        return answering.json(harbor.scheduled(await self.upkeep.scheduled(call.services.database)))

    async def create(self, call: ScheduleCall, *, anew: bool = False) -> web.Response:
        """Start a run, or set the schedule; with `anew` refuse to where there is one."""
        started = await self._apply(call, anew=anew)
        made = call.request.path if started is None else f"{self.root}/{started}"
        return web.Response(status=201, headers={"Location": made})

    async def update(self, call: ScheduleCall) -> web.Response:
        """Start a run, or change the schedule."""
        await self._apply(call)
        return web.Response()

    async def _apply(self, call: ScheduleCall, *, anew: bool = False) -> int | None:
        """Do what the schedule's type says; return the id of what was started."""
        body, database = call.body, call.services.database
        call.ignored += harbor.overlooked(body, self.known)
        if harbor.kind(body) == harbor.NONE:
            await self.upkeep.unschedule(database)
            return None
        harbor.want(harbor.problems(body), self.problems(body))
        parameters = self.parameters(body)
        if harbor.kind(body) == harbor.MANUAL:
            return await self.upkeep.begin(database, parameters, by=call.principal.username)
        await self.upkeep.schedule(database, harbor.timing(body), parameters, anew=anew)
        return None
