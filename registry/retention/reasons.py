"""Why something stays or goes, in plain words."""

from __future__ import annotations

from typing import Final, assert_never

from registry.retention import criterion
from registry.retention.criterion import Criterion, Order
from registry.retention.ranking import Rank
from registry.retention.rule import Action, Rule
from registry.retention.rulings import Cause

NO_RULE_KEEPS: Final = "goes: no rule keeps it"
NOTHING_SELECTED: Final = "goes: no rule keeps it, for none selects anything in this repository"
APART: Final = "kept: what it belongs to is not here"
NO_RULE_DELETES: Final = "kept: no rule deletes it"
_FIRST: Final = {
    Order.PUSH: "newest",
    Order.PULL: "most recently used",
    Order.SEMVER: "highest version",
    Order.CREATED: "latest created",
}
_MANY: Final = {**_FIRST, Order.SEMVER: "highest versions"}
_SPANS: Final = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_TEENS: Final = range(11, 14)


def kept(cause: Cause, *, pushed_seconds_ago: float, used_seconds_ago: float) -> str:
    """Say which rule keeps something, or spares it, and by what."""
    words = _holds(cause, pushed_seconds_ago, used_seconds_ago)
    done = "kept" if cause.rule.action is Action.KEEP else "spared"
    return f"{done} by {cause.rule.name}" + (f": {words}" if words else "")


def _holds(cause: Cause, pushed_seconds_ago: float, used_seconds_ago: float) -> str:
    match cause.criterion:
        case criterion.Always():
            return ""
        case criterion.Unexpired():
            return "it has not expired"
        case criterion.PushedWithin(days=days):
            return f"pushed {_span(pushed_seconds_ago)} ago, within {_counted(days, 'day')}"
        case criterion.UsedWithin(days=days):
            return f"used {_span(used_seconds_ago)} ago, within {_counted(days, 'day')}"
        case criterion.Newest(by=by):
            return _place(cause.rank, _FIRST[by])
        case criterion.SizeWithin(size_bytes=size_bytes):
            return f"{_place(cause.rank, 'newest')}, within {size_bytes} bytes together"
        case _:
            assert_never(cause.criterion)


def deleted(rule: Rule, *, pushed_seconds_ago: float, used_seconds_ago: float) -> str:
    """Say which rule deletes something, and that nothing spared it."""
    missed = [_missed(one, pushed_seconds_ago, used_seconds_ago) for one in rule.criteria]
    return f"goes: {rule.name} deletes it" + (": " + "; ".join(missed) if missed else "")


def _missed(missed: Criterion, pushed_seconds_ago: float, used_seconds_ago: float) -> str:
    match missed:
        case criterion.Always():
            return "nothing spares it"
        case criterion.Unexpired():
            return "it has expired"
        case criterion.PushedWithin(days=days):
            return f"pushed {_span(pushed_seconds_ago)} ago, not within {_counted(days, 'day')}"
        case criterion.UsedWithin(days=days):
            return f"used {_span(used_seconds_ago)} ago, not within {_counted(days, 'day')}"
        case criterion.Newest(count=count, by=by, grouping=grouping):
            return f"not among the {count} {_MANY[by]}{' of its group' if grouping else ''}"
        case criterion.SizeWithin(size_bytes=size_bytes):
            return f"not among the newest that are within {size_bytes} bytes together"
        case _:
            assert_never(missed)


def immutable(tag: str, rule: str) -> str:
    """Say which tag forbids to delete."""
    return f"kept: immutable tag {tag} ({rule})"


def along(leader: str, *, is_child: bool, stays: bool) -> str:
    """Say with what something stays, or goes."""
    if not stays:
        return f"goes with {leader}"
    return f"kept: {'child of' if is_child else 'belongs to'} {leader}"


def _place(rank: Rank, words: str) -> str:
    group = f" in group {rank.group}" if rank.group else ""
    return f"{_ordinal(rank.place)} {words} of {rank.total}{group}"


def _ordinal(place: int) -> str:
    endings = {1: "st", 2: "nd", 3: "rd"}
    ending = "th" if place % 100 in _TEENS else endings.get(place % 10, "th")
    return f"{place}{ending}"


def _span(seconds: float) -> str:
    for length, name in _SPANS:
        if seconds >= length:
            return _counted(int(seconds // length), name)
    return "0 seconds"


def _counted(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"
