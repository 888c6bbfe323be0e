"""What a rule asks of what it selects: each criterion singles out some of it.

A keep rule keeps what one of its criteria singles out; a delete rule spares it. So more criteria
always keep more.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, assert_never

from registry.retention.expression import Expression


class Order(StrEnum):
    """By what the newest are told; the value is the word in rules."""

    PUSH = "push"
    PULL = "pull"
    SEMVER = "semver"
    CREATED = "created"


class Fact(StrEnum):
    """What has to be known of an artifact."""

    PUSH_TIME = "push time"
    PULL_TIME = "pull time"
    ANNOTATIONS = "annotations"
    SIZE = "size"
    LABELS = "labels"
    PLATFORM = "platform"
    PUSHER = "pusher"


@dataclass(frozen=True, slots=True, kw_only=True)
class Always:
    """All of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """So many of each group; the first group of `grouping` names it, None makes one group of all.

    What has no version, or no time, or is in no group is not counted, and the rule leaves it alone.
    """

    count: int
    by: Order
    grouping: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedWithin:
    """What was pushed in the last days."""

    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedWithin:
    """What was pulled, used or pushed in the last days."""

    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeWithin:
    """The newest by push, as many as weigh no more together."""

    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unexpired:
    """What says of itself when it expires, and has not yet."""


Criterion = Always | Newest | PushedWithin | UsedWithin | SizeWithin | Unexpired

_OF_ORDER: Final = {
    Order.PUSH: frozenset({Fact.PUSH_TIME}),
    Order.PULL: frozenset({Fact.PUSH_TIME, Fact.PULL_TIME}),
    Order.SEMVER: frozenset[Fact](),
    Order.CREATED: frozenset({Fact.ANNOTATIONS}),
}


def facts(criterion: Criterion) -> frozenset[Fact]:
    """Return what has to be known to judge by it."""
    match criterion:
        case Always():
            return frozenset()
        case Newest(by=by):
            return _OF_ORDER[by]
        case PushedWithin():
            return frozenset({Fact.PUSH_TIME})
        case UsedWithin():
            return frozenset({Fact.PUSH_TIME, Fact.PULL_TIME})
        case SizeWithin():
            return frozenset({Fact.PUSH_TIME, Fact.SIZE})
        case Unexpired():
            return frozenset({Fact.ANNOTATIONS})
        case _:
            assert_never(criterion)


def to_json(criterion: Criterion) -> dict[str, Any]:
    """Return it as a field of `when` or `unless`."""
    match criterion:
        case Always():
            return {}
        case Newest(count=count, by=by, grouping=grouping):
            group = {"group": grouping.text} if grouping else {}
            return {"newest": {"count": count, "by": by.value, **group}}
        case PushedWithin(days=days):
            return {"pushed_within_days": days}
        case UsedWithin(days=days):
            return {"pulled_within_days": days}
        case SizeWithin(size_bytes=size_bytes):
            return {"total_size_bytes": size_bytes}
        case Unexpired():
            return {"unexpired": True}
        case _:
            assert_never(criterion)
