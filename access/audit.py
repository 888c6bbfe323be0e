"""The audit log: who did what, from where, and whether it came to pass.

A use case records what it does in its own transaction, so that neither is there without the other.
Who acts is known from the request at hand, or is Transship itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from access.identity import SYSTEM, Principal
from database.pool import Connection

RESOURCE_LIMIT: Final = 1024
DESCRIPTION_LIMIT: Final = 2048


class Event(StrEnum):
    """Everything that is recorded: an operation, then the type of what it is done to."""

    CREATE_REGISTRY = "create_registry"
    UPDATE_REGISTRY = "update_registry"
    DELETE_REGISTRY = "delete_registry"
    LIMIT_REGISTRY = "limit_registry"
    CREATE_POLICY = "create_policy"
    UPDATE_POLICY = "update_policy"
    DELETE_POLICY = "delete_policy"
    CREATE_RETENTION = "create_retention"
    UPDATE_RETENTION = "update_retention"
    DELETE_RETENTION = "delete_retention"
    # A run that would delete much waits for one of these.
    APPROVE_RETENTION = "approve_retention"
    REJECT_RETENTION = "reject_retention"
    CREATE_PROJECT = "create_project"
    UPDATE_PROJECT = "update_project"
    DELETE_PROJECT = "delete_project"
    CREATE_IMMUTABLE_RULE = "create_immutable_rule"
    UPDATE_IMMUTABLE_RULE = "update_immutable_rule"
    DELETE_IMMUTABLE_RULE = "delete_immutable_rule"
    CREATE_LABEL = "create_label"
    UPDATE_LABEL = "update_label"
    DELETE_LABEL = "delete_label"
    CREATE_ARTIFACT_LABEL = "create_artifact_label"
    DELETE_ARTIFACT_LABEL = "delete_artifact_label"
    START_EXECUTION = "start_execution"
    STOP_EXECUTION = "stop_execution"
    RETRY_EXECUTION = "retry_execution"
    STOP_TASK = "stop_task"
    RETRY_TASK = "retry_task"
    # A queue is what a pause, a stop or a resumption is about: a job type, a policy, everything, …
    PAUSE_QUEUE = "pause_queue"
    RESUME_QUEUE = "resume_queue"
    STOP_QUEUE = "stop_queue"
    RETRY_QUEUE = "retry_queue"
    CREATE_SCHEDULE = "create_schedule"
    UPDATE_SCHEDULE = "update_schedule"
    DELETE_SCHEDULE = "delete_schedule"
    CREATE_HOOK = "create_hook"
    UPDATE_HOOK = "update_hook"
    DELETE_HOOK = "delete_hook"
    TEST_HOOK = "test_hook"
    REDELIVER_HOOK = "redeliver_hook"
    START_PURGE = "start_purge"
    STOP_PURGE = "stop_purge"
    START_COLLECTION = "start_garbage_collection"
    STOP_COLLECTION = "stop_garbage_collection"
    UNDELETE_ARTIFACT = "undelete_artifact"
    UPDATE_CONFIGURATION = "update_configuration"

    @property
    def operation(self) -> str:
        """What is done."""
        return self.value.partition("_")[0]

    @property
    def resource_type(self) -> str:
        """What it is done to."""
        return self.value.partition("_")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, and the address that the request came from; Transship itself has none."""

    principal: Principal
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that was done, or tried. `resource` names it for people; no secrets anywhere."""

    event: Event
    resource: str
    description: str = ""
    successful: bool = True
    details: Mapping[str, object] = field(default_factory=dict)


_NOBODY_ELSE = Actor(principal=SYSTEM)
_acting: ContextVar[Actor | None] = ContextVar("acting", default=None)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Make `actor` the one who does everything inside."""
    token = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(token)


def actor() -> str:
    """Return the name of who acts."""
    return (_acting.get() or _NOBODY_ELSE).principal.username


RECORD = """
INSERT INTO access.audit_log
    (user_id, username, address, operation, resource_type, resource, description, successful,
     details)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""


async def record(connection: Connection, entry: Entry) -> None:
    """Add an entry as part of the open transaction; who acts comes from `acting`."""
    actor = _acting.get() or _NOBODY_ELSE
    await connection.execute(
        RECORD,
        actor.principal.user_id,
        actor.principal.username,
        actor.address,
        entry.event.operation,
        entry.event.resource_type,
        _storable(entry.resource, RESOURCE_LIMIT),
        _storable(entry.description, DESCRIPTION_LIMIT),
        entry.successful,
        dict(entry.details),
    )


def _storable(text: str, limit: int) -> str:
    """Cut a text short, without control characters and without what Postgres cannot hold."""
    printable = "".join(c if c.isprintable() else " " for c in text[: limit + 1])
    return printable if len(printable) <= limit else f"{printable[:limit]}…"


# Deleted a batch at a time, each its own transaction: nothing is locked for long.
OLD = """
SELECT id FROM access.audit_log
WHERE occurred_at < now() - $1 * interval '1 hour' AND id > $3
  AND (operation || '_' || resource_type = ANY($2::text[]) OR operation = ANY($2::text[]))
ORDER BY id LIMIT $4
"""
PURGE = f"""
DELETE FROM access.audit_log WHERE id IN ({OLD}) RETURNING id
"""  # noqa: S608  constants of this module


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge:
    """What is to go: entries older than `retention_hours` whose event or operation is named."""

    retention_hours: int
    events: Collection[str]
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """What one batch came to; the next one begins after `last_id`. None when nothing is left."""

    count: int
    last_id: int | None


async def purge(connection: Connection, wanted: Purge, *, after: int, limit: int) -> Purged:
    """Delete the oldest entries with ids above `after`; a dry run counts them and deletes none."""
    query = OLD if wanted.dry_run else PURGE
    rows = await connection.fetch(query, wanted.retention_hours, list(wanted.events), after, limit)
    ids = [row["id"] for row in rows]
    return Purged(count=len(ids), last_id=max(ids, default=None))
