"""The table jobservice.changes: what event-based policies are to take up in a moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from database.pool import Connection
from jobservice.domain.change import Change, EventPolicy
from replication.policy import ReplicationPolicy

# After a change it is waited so long for more of them, and not longer than that since the first.
QUIET_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 3.0
AGAIN_SECONDS: Final = 60
CHANNEL: Final = "jobservice_changes"

EVENT_POLICIES = """
SELECT policy.id, policy.filters, policy.destination_namespace, policy.flattening,
       policy.override, policy.extension, policy.replicate_deletion,
       coalesce(destination.url, '') AS destination_url
FROM jobservice.policies AS policy
LEFT JOIN jobservice.endpoints AS destination ON destination.id = policy.destination_endpoint_id
WHERE policy.enabled AND policy.trigger = 'event_based' AND policy.source_endpoint_id IS NULL
ORDER BY policy.id FOR KEY SHARE OF policy
"""


async def policies(connection: Connection) -> tuple[EventPolicy, ...]:
    """Return every policy that follows events; none goes until the transaction ends."""
    return tuple(
        EventPolicy(
            id=row["id"],
            rules=ReplicationPolicy.from_json(
                {
                    "filters": row["filters"],
                    "destination_namespace": row["destination_namespace"],
                    "flattening": row["flattening"],
                    "override": row["override"],
                    "referrers": row["extension"].get("referrers", True),
                }
            ),
            replicate_deletion=row["replicate_deletion"],
            destination_url=row["destination_url"],
        )
        for row in await connection.fetch(EVENT_POLICIES)
    )


ADD = f"""
INSERT INTO jobservice.changes (policy_id, repository, reference, digest, is_gone)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::boolean[])
ON CONFLICT (policy_id, repository, reference) DO UPDATE
SET digest = excluded.digest, is_gone = excluded.is_gone, last_at = clock_timestamp()
RETURNING pg_notify('{CHANNEL}', '')
"""  # noqa: S608  a constant of this module


async def add(connection: Connection, policy_id: int, changes: Sequence[Change]) -> None:
    """Remember what a policy is to take up; a later change of the same thing replaces it."""
    await connection.execute(
        ADD,
        policy_id,
        [one.repository for one in changes],
        [one.reference for one in changes],
        [one.digest for one in changes],
        [one.is_gone for one in changes],
    )


# What is gone waits for the executions that may still be writing it.
DUE = f"""
SELECT policy_id, is_gone FROM jobservice.changes AS change
GROUP BY policy_id, is_gone
HAVING (max(last_at) <= clock_timestamp() - interval '{QUIET_SECONDS} seconds'
        OR min(first_at) <= clock_timestamp() - interval '{LONGEST_SECONDS} seconds')
   AND NOT (is_gone AND EXISTS (
        SELECT FROM jobservice.executions AS execution
        WHERE execution.policy_id = change.policy_id AND execution.vendor_type = 'replication'
          AND execution.ended_at IS NULL))
ORDER BY policy_id, is_gone
"""  # noqa: S608  constants of this module


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Changes of one policy that are to be taken up now: those to copy, or those to delete."""

    policy_id: int
    is_gone: bool


async def due(connection: Connection) -> tuple[Due, ...]:
    """Return what is to be taken up; of a policy what is to be copied comes first."""
    return tuple(Due(**row) for row in await connection.fetch(DUE))


ANY_WAITING = "SELECT EXISTS (SELECT FROM jobservice.changes)"


async def any_waiting(connection: Connection) -> bool:
    """Say whether there is anything that is due now or later."""
    return bool(await connection.fetchval(ANY_WAITING))


POSTPONE = f"""
UPDATE jobservice.changes
SET first_at = clock_timestamp() + interval '{AGAIN_SECONDS} seconds',
    last_at = clock_timestamp() + interval '{AGAIN_SECONDS} seconds'
WHERE policy_id = $1 AND is_gone = $2
"""  # noqa: S608  a constant of this module


async def postpone(connection: Connection, due: Due) -> None:
    """Let changes that could not be taken up wait."""
    await connection.execute(POSTPONE, due.policy_id, due.is_gone)


TAKE = """
WITH taken AS (
    SELECT policy_id, repository, reference FROM jobservice.changes
    WHERE policy_id = $1 AND is_gone = $2
    ORDER BY first_at, repository, reference LIMIT $3
    FOR UPDATE SKIP LOCKED
)
DELETE FROM jobservice.changes AS change USING taken
WHERE change.policy_id = taken.policy_id AND change.repository = taken.repository
  AND change.reference = taken.reference
RETURNING change.repository, change.reference, change.digest, change.is_gone
"""


async def take(connection: Connection, wanted: Due, *, limit: int) -> tuple[Change, ...]:
    """Hand out the oldest changes and forget them; they come back if the transaction fails."""
    rows = await connection.fetch(TAKE, wanted.policy_id, wanted.is_gone, limit)
    found = [Change(**row) for row in rows]
    return tuple(sorted(found, key=lambda change: (change.repository, change.reference)))
