"""Hooks: adding, changing, trying and removing them, and what became of their deliveries."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Self

from access import audit
from access.audit import Entry, Event
from database.pool import Connection, Database
from jobservice import hook_targets, unbuilt
from jobservice.domain.hook import (
    ASKED_FOR,
    OF_ARTIFACTS,
    OF_PROJECTS,
    EventType,
    Hook,
    HookSettings,
    PayloadFormat,
)
from jobservice.domain.hook_delivery import DeliveryStatus, HookDelivery, NewDelivery
from jobservice.domain.hook_payloads import message, notices
from jobservice.domain.listing import Equals, Listing, Rows
from jobservice.domain.policy import TriggerKind
from jobservice.errors import InvalidRequest, NotFound, StillUnderWay
from jobservice.hook_secrets import HookSecrets
from jobservice.hook_targets import WantedTarget
from jobservice.store import hook_deliveries, hooks
from jobservice.store.hook_deliveries import Occasion
from jobservice.store.hooks import LastTrigger
from protocol.transport import Transport

NAME_LIMIT: Final = 255
STATUSES: Final = ("succeeded", "failed", "stopped")
WHAT: Final = "webhook policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A hook as a user says it; None leaves what is stored, or the default."""

    name: str | None = None
    description: str | None = None
    event_types: Sequence[str] | None = None
    statuses: Sequence[str] | None = None
    per_task: bool | None = None
    enabled: bool = False
    targets: Sequence[WantedTarget] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """The use cases of one project's hooks, or of the whole installation's where there is none.

    `transport` is the one that deliveries go by: it knows where they may go.
    """

    database: Database
    secrets: HookSecrets
    transport: Transport
    project_id: int | None = None

    def of_project(self, project_id: int) -> Self:
        """Return the use cases of a project's hooks."""
        return replace(self, project_id=project_id)

    async def page(self, listing: Listing) -> Rows[Hook]:
        """Return one page."""
        async with self.database.connection() as connection:
            return await hooks.page(connection, listing, project_id=self.project_id)

    async def get(self, hook_id: int) -> Hook:
        """Return a hook; raise NotFound."""
        async with self.database.connection() as connection:
            return await self._get(connection, hook_id)

    async def create(self, wanted: Wanted, *, creator: str) -> int:
        """Add a hook and return its id; raise InvalidRequest, NameTaken."""
        await self._refuse(wanted, wanted.targets or ())
        settings = _settings(HookSettings(name=""), wanted)
        async with self.database.transaction() as connection:
            hook_id = await hooks.insert(
                connection, settings, creator=creator, project_id=self.project_id
            )
            await self._write_targets(connection, hook_id, wanted.targets or (), None)
            await audit.record(connection, Entry(event=Event.CREATE_HOOK, resource=settings.name))
        return hook_id

    async def update(self, hook_id: int, wanted: Wanted) -> None:
        """Change a hook; raises as `create`, and NotFound."""
        before = await self.get(hook_id)
        await self._refuse(_with_defaults(wanted, before), wanted.targets, before)
        async with self.database.transaction() as connection:
            now = await self._get_locked(connection, hook_id)
            await hooks.update(connection, hook_id, _settings(now.settings, wanted))
            if wanted.targets is not None:
                await self._write_targets(connection, hook_id, wanted.targets, now)
            await audit.record(
                connection, Entry(event=Event.UPDATE_HOOK, resource=now.settings.name)
            )

    async def delete(self, hook_id: int) -> None:
        """Remove a hook with what it told; raise NotFound."""
        async with self.database.transaction() as connection:
            found = await self._get_locked(connection, hook_id)
            await hooks.delete(connection, hook_id)
            await audit.record(
                connection, Entry(event=Event.DELETE_HOOK, resource=found.settings.name)
            )

    async def last_triggers(self) -> tuple[LastTrigger, ...]:
        """Return when each hook last told of each of its types."""
        async with self.database.connection() as connection:
            return await hooks.last_triggers(connection, project_id=self.project_id)

    async def try_out(self, hook_id: int, *, by: str) -> tuple[int, ...]:
        """Send a test to every target, once; return the deliveries' ids. Raise NotFound."""
        async with self.database.transaction() as connection:
            hook = await self._get_locked(connection, hook_id)
            event = notices.trial(
                str(uuid.uuid4()), datetime.now(UTC), hook_name=hook.settings.name, operator=by
            )
            occasion = Occasion(
                hook_id=hook.id,
                project_id=hook.project_id,
                event_id=event.id,
                event_type=event.subject.type,
                trigger=TriggerKind.MANUAL,
                started_by=by,
                tries_once=True,
            )
            await audit.record(
                connection, Entry(event=Event.TEST_HOOK, resource=hook.settings.name)
            )
            messages = message.messages(event, hook)
            return await hook_deliveries.insert(connection, occasion, messages)

    async def deliveries(self, hook_id: int, listing: Listing) -> Rows[HookDelivery]:
        """Return one page of a hook's deliveries; raise NotFound."""
        await self.get(hook_id)
        scope = Equals(field="hook_id", value=hook_id)
        scoped = replace(listing, conditions=(scope, *listing.conditions))
        async with self.database.connection() as connection:
            return await hook_deliveries.page(connection, scoped)

    async def delivery(self, hook_id: int, delivery_id: int) -> HookDelivery:
        """Return a delivery of a hook; raise NotFound."""
        async with self.database.connection() as connection:
            found = await hook_deliveries.get(connection, hook_id, delivery_id)
        if found is None:
            raise NotFound("delivery", delivery_id)
        return found

    async def redeliver(self, hook_id: int, delivery_id: int, *, by: str) -> int:
        """Send a message again as it was, under the same event id; return the new delivery's id.

        Raise NotFound, StillUnderWay; InvalidRequest where its target was removed.
        """
        found = await self.delivery(hook_id, delivery_id)
        if found.status is DeliveryStatus.PENDING:
            raise StillUnderWay(f"delivery {delivery_id} is still being tried")
        async with self.database.transaction() as connection:
            await self._get_locked(connection, hook_id)
            due = await hook_deliveries.due(connection, found.task_id)
            if due is None or due.target is None:
                raise InvalidRequest([f"delivery {delivery_id}: the hook no longer has its target"])
            again = NewDelivery(
                target_id=due.target.id,
                target=found.target,
                content_type=found.content_type,
                payload=found.payload,
            )
            occasion = Occasion(
                hook_id=hook_id,
                project_id=self.project_id,
                event_id=found.event_id,
                event_type=found.event_type,
                trigger=TriggerKind.MANUAL,
                started_by=by,
                is_repeat=True,
            )
            (new_id,) = await hook_deliveries.insert(connection, occasion, [again])
            await audit.record(
                connection, Entry(event=Event.REDELIVER_HOOK, resource=str(delivery_id))
            )
        return new_id

    async def has_execution(self, hook_id: int, execution_id: int) -> bool:
        """Say whether an execution carries messages of a hook."""
        async with self.database.connection() as connection:
            return await hook_deliveries.has_execution(connection, hook_id, execution_id)

    async def _get(self, connection: Connection, hook_id: int) -> Hook:
        return _found(await hooks.get(connection, hook_id, project_id=self.project_id), hook_id)

    async def _get_locked(self, connection: Connection, hook_id: int) -> Hook:
        found = await hooks.get_locked(connection, hook_id, project_id=self.project_id)
        return _found(found, hook_id)

    async def _refuse(
        self, wanted: Wanted, targets: Sequence[WantedTarget] | None, before: Hook | None = None
    ) -> None:
        stored = [target.format for target in before.targets] if before else []
        formats = stored if targets is None else [target.format for target in targets]
        found = [*_problems(wanted), *_format_problems(wanted, formats)]
        if self.project_id is not None:
            found += _project_problems(wanted)
        if targets is not None:
            found += await hook_targets.refuse(targets, self.transport)
        if found:
            raise InvalidRequest(found)

    async def _write_targets(
        self,
        connection: Connection,
        hook_id: int,
        wanted: Sequence[WantedTarget],
        before: Hook | None,
    ) -> None:
        ids = await hooks.next_target_ids(connection, len(wanted))
        stored = before.targets if before is not None else ()
        targets = hook_targets.targets(wanted, stored, ids, self.secrets)
        await hooks.write_targets(connection, hook_id, targets)


def _found(hook: Hook | None, hook_id: int) -> Hook:
    if hook is None:
        raise NotFound(WHAT, hook_id)
    return hook


def _with_defaults(wanted: Wanted, before: Hook) -> Wanted:
    """Return what a hook is to be, whole, to be judged."""
    settings = _settings(before.settings, wanted)
    return Wanted(
        name=settings.name,
        description=settings.description,
        event_types=settings.event_types if wanted.event_types is None else wanted.event_types,
        statuses=wanted.statuses,
    )


def _settings(before: HookSettings, wanted: Wanted) -> HookSettings:
    types = before.event_types
    if wanted.event_types is not None:
        types = tuple(dict.fromkeys(EventType(one) for one in wanted.event_types if _is_known(one)))
    return HookSettings(
        name=before.name if wanted.name is None else wanted.name,
        description=before.description if wanted.description is None else wanted.description,
        event_types=types,
        statuses=before.statuses if wanted.statuses is None else tuple(wanted.statuses),
        per_task=before.per_task if wanted.per_task is None else wanted.per_task,
        enabled=wanted.enabled,
    )


def _problems(wanted: Wanted) -> Iterator[str]:
    name = wanted.name or ""
    if not name.strip():
        yield "name: is missing"
    elif len(name) > NAME_LIMIT:
        yield f"name: has {len(name)} characters, {NAME_LIMIT} are allowed"
    if not wanted.event_types:
        yield f"event_types: are missing; known are {', '.join(ASKED_FOR)}"
    for one in wanted.event_types or ():
        refused = list(unbuilt.problems("event_types", one))
        yield from refused
        if not refused and not _is_known(one):
            yield f"event_types: {one!r} is not known; known are {', '.join(ASKED_FOR)}"
    for status in wanted.statuses or ():
        if status not in STATUSES:
            known = ", ".join(STATUSES)
            yield f"transship.statuses: {status!r} is not known; known are {known}"


def _project_problems(wanted: Wanted) -> Iterator[str]:
    types = wanted.event_types or ()
    others = [one for one in types if _is_known(one) and one not in OF_PROJECTS]
    if others:
        yield (
            f"event_types: {', '.join(others)}: hooks of a project hear of what happens in it"
            " only; make one of the whole installation (/system/webhook/policies)"
        )


def _format_problems(wanted: Wanted, formats: Sequence[str]) -> Iterator[str]:
    others = sorted(set(wanted.event_types or ()) - set(OF_ARTIFACTS))
    if others and PayloadFormat.DISTRIBUTION in formats:
        yield (
            f"event_types: {', '.join(others)}: the payload format {PayloadFormat.DISTRIBUTION}"
            " tells of artifacts only"
        )


def _is_known(event_type: str) -> bool:
    return event_type in {one.value for one in ASKED_FOR}
