"""Replication policies in Harbor's words.

Reading follows Harbor's own model, in which an absent boolean is false and an absent replace count
is -1, so that what its clients read can be sent back unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator

from jobservice.api.harbor import registries, schedules
from jobservice.api.models import registry as registry_models
from jobservice.api.models import replication as models
from jobservice.domain.endpoint import StoredEndpoint
from jobservice.domain.policy import PolicySettings, StoredPolicy, TriggerKind
from jobservice.domain.schedule import ScheduleOptions
from jobservice.errors import InvalidRequest
from replication.policy import (
    FLATTEN_ALL,
    Decoration,
    Filter,
    FilterKind,
    ReplicationPolicy,
)


def policy(stored: StoredPolicy, ends: dict[int, StoredEndpoint]) -> models.ReplicationPolicy:
    """Show a policy with both of its ends."""
    settings, rules = stored.settings, stored.settings.rules
    return models.ReplicationPolicy(
        id=stored.id,
        name=settings.name,
        description=settings.description,
        src_registry=_end(settings.source_endpoint_id, ends),
        dest_registry=_end(settings.destination_endpoint_id, ends),
        dest_namespace=rules.destination_namespace,
        dest_namespace_replace_count=rules.flattening,
        trigger=_trigger(settings),
        filters=[_shown_filter(condition) for condition in rules.filters],
        replicate_deletion=settings.replicate_deletion,
        deletion=settings.replicate_deletion,
        override=rules.override,
        enabled=settings.enabled,
        creation_time=stored.created_at,
        update_time=stored.updated_at,
        speed=rules.speed_kilobits or 0,
        copy_by_chunk=rules.copy_by_chunk,
        single_active_replication=settings.single_active,
        transship=models.TransshipPolicy(
            referrers=rules.referrers,
            priority=settings.priority,
            schedule=schedules.options(settings.schedule)
            if settings.trigger is TriggerKind.SCHEDULED
            else None,
        ),
    )


def policy_settings(
    body: models.ReplicationPolicy, before: PolicySettings | None = None
) -> PolicySettings:
    """Read a policy; `before` gives what an absent `transship` leaves as it is.

    Raise InvalidRequest for words that are not in Harbor's vocabulary, all at once.
    """
    filters, problems = _filters(body.filters or [])
    trigger, trigger_problems = _trigger_kind(body.trigger)
    problems += trigger_problems
    if problems:
        raise InvalidRequest(problems)
    settings = body.trigger.trigger_settings if body.trigger else None
    count = body.dest_namespace_replace_count
    extension = _extension(body, before)
    return PolicySettings(
        name=body.name or "",
        description=body.description or "",
        source_endpoint_id=_end_id(body.src_registry),
        destination_endpoint_id=_end_id(body.dest_registry),
        trigger=trigger,
        cron=(settings.cron if settings else None) or None,
        schedule=_schedule(body, trigger, before),
        enabled=bool(body.enabled),
        replicate_deletion=bool(body.deletion),
        single_active=bool(body.single_active_replication),
        priority=extension.priority,
        rules=ReplicationPolicy(
            filters=tuple(filters),
            destination_namespace=body.dest_namespace or "",
            flattening=FLATTEN_ALL if count is None else count,
            override=bool(body.override),
            referrers=extension.referrers,
            speed_kilobits=body.speed if body.speed and body.speed > 0 else None,
            copy_by_chunk=bool(body.copy_by_chunk),
        ),
    )


def overlooked(body: models.ReplicationPolicy) -> Iterator[str]:
    """Yield fields that Harbor has and does not read: of the two for deletion it is `deletion`."""
    if body.replicate_deletion and not body.deletion:
        yield "replicate_deletion (deletion is the field that is read)"


def _extension(
    body: models.ReplicationPolicy, before: PolicySettings | None
) -> models.TransshipPolicy:
    if body.transship is not None:
        return body.transship
    if before is None or "transship" in body.model_fields_set:
        return models.TransshipPolicy()
    return models.TransshipPolicy(referrers=before.rules.referrers, priority=before.priority)


def _schedule(
    body: models.ReplicationPolicy, trigger: TriggerKind, before: PolicySettings | None
) -> ScheduleOptions:
    """Read `transship.schedule`; what was said of a schedule goes when the trigger is another."""
    is_kept = body.transship is None and "transship" not in body.model_fields_set
    if is_kept and before is not None and trigger is TriggerKind.SCHEDULED:
        return before.schedule
    if body.transship is None or body.transship.schedule is None:
        return ScheduleOptions()
    return schedules.schedule_options(body.transship.schedule)


def _end(endpoint_id: int | None, ends: dict[int, StoredEndpoint]) -> registry_models.Registry:
    return (
        registries.local_endpoint()
        if endpoint_id is None
        else registries.endpoint(ends[endpoint_id])
    )


def _end_id(end: registry_models.Registry | None) -> int | None:
    return None if end is None or not end.id else end.id


def _trigger(settings: PolicySettings) -> models.ReplicationTrigger:
    cron = models.ReplicationTriggerSettings(cron=settings.cron) if settings.cron else None
    return models.ReplicationTrigger(type=settings.trigger.value, trigger_settings=cron)


def _trigger_kind(trigger: models.ReplicationTrigger | None) -> tuple[TriggerKind, list[str]]:
    name = (trigger.type if trigger else None) or TriggerKind.MANUAL.value
    if name not in {kind.value for kind in TriggerKind}:
        known = ", ".join(TriggerKind)
        return TriggerKind.MANUAL, [f"trigger.type: {name!r} is not known; known are {known}"]
    return TriggerKind(name), []


def _shown_filter(condition: Filter) -> models.ReplicationFilter:
    decorated = condition.kind in {FilterKind.TAG, FilterKind.LABEL}
    return models.ReplicationFilter(
        type=condition.kind.value,
        value=condition.pattern,
        decoration=condition.decoration.value if decorated else None,
    )


def _filters(bodies: list[models.ReplicationFilter]) -> tuple[list[Filter], list[str]]:
    filters, problems = [], []
    for index, body in enumerate(bodies):
        found = list(_filter_problems(f"filters[{index}]", body))
        problems += found
        if not found:
            value = body.value if isinstance(body.value, str) else ",".join(body.value or [])
            filters.append(
                Filter(
                    kind=FilterKind(body.type or ""),
                    pattern=value,
                    decoration=Decoration(body.decoration or Decoration.MATCHES),
                )
            )
    return filters, problems


def _filter_problems(place: str, body: models.ReplicationFilter) -> Iterator[str]:
    if body.type not in {kind.value for kind in FilterKind}:
        known = ", ".join(FilterKind)
        yield f"{place}.type: {body.type!r} is not known; known are {known}"
        return
    if isinstance(body.value, list) and body.type != FilterKind.LABEL:
        yield f"{place}.value: must be text for a {body.type} filter"
    if body.decoration and body.decoration not in {d.value for d in Decoration}:
        known = ", ".join(Decoration)
        yield f"{place}.decoration: {body.decoration!r} is not known; known are {known}"
    elif body.decoration and body.type in {FilterKind.NAME, FilterKind.RESOURCE}:
        yield f"{place}.decoration: a {body.type} filter takes none"
