"""What `transship policy update` makes of a policy: what is said changes, the rest stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jobservice.cli import timing
from jobservice.cli.errors import UsageError

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What is said of when it runs; None was not said."""

    every: str = ""
    cron: str = ""
    time_zone: str | None = None
    jitter: int | None = None
    skip_late: bool | None = None
    on_push: bool = False
    manual: bool = False

    @property
    def is_said(self) -> bool:
        """Whether anything is."""
        return (
            self.manual or self.on_push or bool(self.every or self.cron) or bool(self._schedule())
        )

    def applied_to(self, policy: Json) -> Json:
        """Return trigger and schedule as they are to be; raise UsageError."""
        scheduled = (policy.get("trigger") or {}).get("type") == "scheduled"
        schedule = ((policy.get("transship") or {}).get("schedule") or {}) if scheduled else {}
        for unscheduled, name in (
            (Timing(manual=True), "manual"),
            (Timing(on_push=True), "event_based"),
        ):
            if self == unscheduled:
                return {"trigger": {"type": name}, "schedule": None}
        if self.manual or self.on_push:
            raise UsageError("--manual and --on-push go with nothing else that says when it runs")
        said = timing.expression(self.every, self.cron)
        cron = said or (policy["trigger"]["trigger_settings"]["cron"] if scheduled else "")
        if not cron:
            raise UsageError(timing.WANTS_EXPRESSION)
        trigger = {"type": "scheduled", "trigger_settings": {"cron": cron}}
        return {"trigger": trigger, "schedule": schedule | self._schedule()}

    def _schedule(self) -> Json:
        said: Json = {}
        if self.time_zone is not None:
            said["time_zone"] = self.time_zone or "UTC"
        if self.jitter is not None:
            said["jitter_seconds"] = self.jitter
        if self.skip_late is not None:
            said["misfire"] = "skip" if self.skip_late else "run_once"
        return said


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is said of a policy; None was not said. `ends` are src_registry and dest_registry."""

    ends: Json
    repositories: str | None = None
    tags: str | None = None
    namespace: str | None = None
    flatten: int | None = None
    override: bool | None = None
    enabled: bool | None = None
    deletions: bool | None = None
    priority: int | None = None
    timing: Timing = Timing()

    def applied_to(self, policy: Json) -> Json:
        """Return the policy as it is to be; raise UsageError, also where nothing was said."""
        deletions = self.deletions
        if deletions is None and self.timing.is_said and not self.timing.on_push:
            deletions = False  # they go with events only
        fields = {
            "dest_namespace": self.namespace,
            "dest_namespace_replace_count": self.flatten,
            "override": self.override,
            "enabled": self.enabled,
            "deletion": deletions,
            "replicate_deletion": deletions,
        }
        changed = self.ends | {name: value for name, value in fields.items() if value is not None}
        if self.repositories is not None or self.tags is not None:
            changed["filters"] = [*self._filters(policy.get("filters") or [])]
        transship: Json = {} if self.priority is None else {"priority": self.priority}
        if self.timing.is_said:
            timed = self.timing.applied_to(policy)
            changed["trigger"] = timed["trigger"]
            transship["schedule"] = timed["schedule"]
        if not (changed or transship):
            raise UsageError("say what is to change: `transship policy update --help` has a list")
        return policy | changed | {"transship": (policy.get("transship") or {}) | transship}

    def _filters(self, filters: list[Json]) -> Iterator[Json]:
        """Yield the conditions as they are to be; what excludes stays, an empty pattern is none."""
        said = {"name": self.repositories, "tag": self.tags}
        for one in filters:
            if said.get(one["type"]) is None or one.get("decoration") == "excludes":
                yield one
        for kind, pattern in said.items():
            if pattern:
                yield {"type": kind, "value": pattern}


def want_two_ends(policy: Json) -> None:
    """Raise UsageError for a policy that would copy from a registry to itself."""
    source, destination = (
        (policy.get(end) or {}).get("id") or 0 for end in ("src_registry", "dest_registry")
    )
    if source == destination:
        raise UsageError("--from and --to would be the same registry: name another for one of them")
