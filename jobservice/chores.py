"""What one worker process at a time takes care of: the leader, one line each."""

from __future__ import annotations

from database.pool import Database
from jobservice import starters
from jobservice.checking import Checker
from jobservice.composing import Parts
from jobservice.maintenance import (
    collecting,
    endpoint_checks,
    event_triggers,
    outbox_reader,
    overdue_watch,
    registry_care,
    sweeper,
)
from jobservice.maintenance.scheduler import Scheduler
from jobservice.maintenance.service import Service
from jobservice.policy_starts import EventBasedPolicies
from jobservice.store.sweeping import Keep
from registry.collection.delays import Delays


def build(parts: Parts, database: Database, *, keep: Keep) -> tuple[Service, ...]:
    """Return the chores. `database` is the leader's: none of them may write by another."""
    return (
        *registry_care.services(database, parts.storage),
        *collecting.services(
            database,
            parts.storage,
            Delays.of(
                backup_window_days=parts.settings.backup_window_days,
                gc_grace_seconds=parts.settings.gc_grace_seconds,
            ),
        ),
        endpoint_checks.service(Checker(database=database, connector=parts.connector)),
        Scheduler(database, starters.build()).service(),
        sweeper.service(database, keep),
        event_triggers.service(database, EventBasedPolicies()),
        outbox_reader.service(database, external_url=parts.settings.external_url),
        overdue_watch.service(database),
    )
