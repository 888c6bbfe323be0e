"""Use cases around pauses: hold back, let go on, look.

A pause keeps what is pending from starting. What runs goes on; to end that there is stop.
"""

from __future__ import annotations

from access import audit
from database.pool import Connection, Database
from jobservice.domain import pause as rules
from jobservice.domain.endpoint import LOCAL_ID
from jobservice.domain.pause import Held, Pause, PauseScope
from jobservice.errors import InvalidRequest, NotFound
from jobservice.store import dispatching
from jobservice.store import endpoints as endpoint_rows
from jobservice.store import pauses as rows
from jobservice.store import policies as policy_rows
from jobservice.store.executions import DISPATCH_CHANNEL


async def page(database: Database) -> tuple[Pause, ...]:
    """Return every pause: there are few."""
    async with database.connection() as connection:
        return await rows.listed(connection)


async def pause(database: Database, held: Held, *, by: str, comment: str = "") -> bool:
    """Hold something back from now on; False if it was already, and who did it first stands.

    Raise InvalidRequest, NotFound.
    """
    found = list(rules.problems(held, comment))
    if found:
        raise InvalidRequest(found)
    async with database.transaction() as connection:
        await _want(connection, held)
        added = await rows.add(connection, held, paused_by=by, comment=comment)
        if added:
            await _record(connection, audit.Event.PAUSE_QUEUE, held, comment)
    return added


async def resume(database: Database, held: Held) -> bool:
    """Let something go on; False if nothing held it back. Raise InvalidRequest."""
    found = list(rules.problems(held, ""))
    if found:
        raise InvalidRequest(found)
    async with database.transaction() as connection:
        resumed = await rows.remove(connection, held)
        if resumed:
            await _record(connection, audit.Event.RESUME_QUEUE, held)
        await dispatching.ring(connection, DISPATCH_CHANNEL)
    return resumed


async def resume_job_types(database: Database) -> tuple[str, ...]:
    """Let every job type go on; return those that were held back."""
    async with database.transaction() as connection:
        resumed = await rows.remove_job_types(connection)
        await dispatching.ring(connection, DISPATCH_CHANNEL)
        for job_type in resumed:
            held = Held(scope=PauseScope.JOB_TYPE, key=job_type)
            await _record(connection, audit.Event.RESUME_QUEUE, held)
    return resumed


async def _record(
    connection: Connection, event: audit.Event, held: Held, comment: str = ""
) -> None:
    resource = f"{held.scope} {held.key}".strip()
    await audit.record(connection, audit.Entry(event=event, resource=resource, description=comment))


async def _want(connection: Connection, held: Held) -> None:
    """Raise NotFound for a policy or a destination that is not there; 0 is this registry."""
    is_policy = held.scope is PauseScope.POLICY
    if is_policy and await policy_rows.get(connection, int(held.key)) is None:
        raise NotFound("replication policy", held.key)
    is_remote = held.scope is PauseScope.DESTINATION and int(held.key) != LOCAL_ID
    if is_remote and await endpoint_rows.get(connection, int(held.key)) is None:
        raise NotFound("registry", held.key)
