"""Whether a manifest is garbage, decided from what its repository says of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

ORPHANED: Final = frozenset({"subject_deleted", "parent_deleted"})
UNTAGGED: Final = "untagged"
LEASE: Final = timedelta(hours=1)
_HELD_AGAIN: Final = timedelta(minutes=10)
_LOCKED_AGAIN: Final = timedelta(seconds=1)
_LONGEST: Final = timedelta(days=1)


class Verdict(Enum):
    """NEEDED is forgotten until something happens to it; LATER is looked at again."""

    GARBAGE = auto()
    NEEDED = auto()
    LATER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A manifest as it is now.

    `has_own_tags`: it has some that accompany nothing, or something that is here. `is_named`: an
    index names it, or what it refers to is here. `is_held`: by a hold or a pin without an end.
    """

    id: int
    has_tags: bool
    has_own_tags: bool
    is_named: bool
    is_held: bool
    pinned_until: datetime | None
    lease_until: datetime
    pushed_at: datetime
    last_used_at: datetime | None
    pulled_at: datetime | None
    untagged_keep_days: int | None

    @property
    def used_at(self) -> datetime:
        """The latest of use, pull and push; a push is all that begins a lease."""
        moments = (self.last_used_at, self.pulled_at, self.lease_until - LEASE)
        return max((one for one in moments if one is not None), default=self.pushed_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What to do with a manifest: why it goes, or from when on it may."""

    verdict: Verdict
    reason: str = ""
    later: datetime | None = None


_NEEDED: Final = Judgement(verdict=Verdict.NEEDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Why a manifest is looked at, since when, for how many times, and whether untagged ones go."""

    reason: str
    queued_at: datetime
    attempts: int
    now: datetime
    delete_untagged: bool


def judge(found: Facts, look: Look) -> Judgement:
    """Return whether a manifest goes.

    Orphans go: their subject or index was deleted, and nobody used them since. What is only
    untagged goes where its project, or this run, says so.
    """
    if found.is_named:
        return _NEEDED
    if look.reason in ORPHANED and not found.has_own_tags and found.used_at <= look.queued_at:
        return _unless_kept(found, look, reason=look.reason, since=look.now)
    if found.has_tags:
        return _NEEDED
    if look.delete_untagged:
        return _unless_kept(found, look, reason=UNTAGGED, since=look.now)
    if found.untagged_keep_days is None:
        return _NEEDED
    since = found.used_at + timedelta(days=found.untagged_keep_days)
    return _unless_kept(found, look, reason=UNTAGGED, since=since)


def _unless_kept(found: Facts, look: Look, *, reason: str, since: datetime) -> Judgement:
    if found.is_held:
        return Judgement(verdict=Verdict.LATER, later=again_when_held(look.now, look.attempts))
    free_at = max(since, found.lease_until, found.pinned_until or since)
    if free_at > look.now:
        return Judgement(verdict=Verdict.LATER, later=free_at)
    return Judgement(verdict=Verdict.GARBAGE, reason=reason)


def again_when_held(now: datetime, attempts: int) -> datetime:
    """Return when to look again at what somebody holds without saying until when."""
    return _doubled(now, _HELD_AGAIN, attempts)


def again_when_locked(now: datetime, attempts: int) -> datetime:
    """Return when to look again at what another transaction had locked."""
    return _doubled(now, _LOCKED_AGAIN, attempts)


def _doubled(now: datetime, pause: timedelta, attempts: int) -> datetime:
    return now + min(pause * (1 << min(attempts, 20)), _LONGEST)
