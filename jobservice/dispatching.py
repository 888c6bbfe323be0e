"""One round of the dispatcher: what is in flight, who could go, whose turn it is."""

from __future__ import annotations

from collections.abc import Mapping

from database.pool import Connection
from jobservice.domain import turns
from jobservice.domain.turns import Candidate, Flight, Limits
from jobservice.store import dispatching as store
from jobservice.store import limits as limits_store
from jobservice.store.dispatching import Delivery
from jobservice.store.leader import Leadership


async def dispatch(
    connection: Connection, leadership: Leadership, job_type_limits: Mapping[str, int]
) -> tuple[Delivery, ...]:
    """Commit the tasks whose turn it is to their queues; return what is to be rung for."""
    rooms = {(room.queue, room.zone): room.size for room in await store.rooms(connection)}
    lanes = [lane for lane in await store.lanes(connection) if (lane.queue, lane.zone) in rooms]
    if not lanes:
        return ()
    endpoints = await limits_store.listed(connection)
    concurrency = {
        one.endpoint_id: one.concurrency for one in endpoints if one.concurrency is not None
    }
    busy = await store.busy(connection)
    flight = Flight(busy, Limits(endpoints=concurrency, job_types=job_type_limits))
    postponed = {one.endpoint_id for one in endpoints if one.is_postponed}
    found: list[Candidate] = []
    for lane in lanes:
        if flight.has_room_for(lane.job_type):
            found += await store.candidates(
                connection,
                lane,
                room=rooms[lane.queue, lane.zone],
                busy_executions=len(flight.executions),
                blocked_endpoints=postponed | flight.full_endpoints,
            )
    picked = turns.pick(found, rooms, flight)
    if not picked:
        return ()
    return await store.take(connection, leadership, [one.task_id for one in picked])
