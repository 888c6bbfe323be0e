"""A criterion at work: it sees a unit's names, judges it, and in the end knows who won."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Protocol, assert_never

from typing_extensions import override

from registry.retention import criterion, expiry, ranking, version
from registry.retention.artifact import Type
from registry.retention.criterion import Criterion, Order
from registry.retention.ranking import Budget, Rank
from registry.retention.unit import Unit
from registry.retention.verdict import Verdict

CREATED: Final = "org.opencontainers.image.created"
DAY_SECONDS: Final = 86_400


class Trial(Protocol):
    """One criterion of one rule in one repository."""

    reads_names: bool

    def see(self, name: str, type_: Type) -> None:
        """Take note of a name of the unit that is judged next."""

    def forget(self) -> None:
        """Leave out the unit whose names were seen."""

    def judge(self, unit: Unit) -> Verdict:
        """Say whether the unit is singled out."""

    def winners(self) -> Iterator[tuple[int, Rank]]:
        """Yield those of the units left open that are singled out."""


def of(asked: Criterion, now: float) -> Trial:
    """Return the trial of a criterion at a time."""
    match asked:
        case criterion.Always():
            return _Always()
        case criterion.PushedWithin(days=days):
            return _Pushed(now - days * DAY_SECONDS)
        case criterion.UsedWithin(days=days):
            return _Used(now - days * DAY_SECONDS)
        case criterion.Unexpired():
            return _Unexpired(now)
        case criterion.SizeWithin(size_bytes=size_bytes):
            return _Size(size_bytes)
        case criterion.Newest():
            return _Newest(asked)
        case _:
            assert_never(asked)


class _Alone:
    """Judges each unit by itself."""

    reads_names = False

    def see(self, name: str, type_: Type) -> None:
        """Names do not matter."""

    def forget(self) -> None:
        """Nothing was seen."""

    def winners(self) -> Iterator[tuple[int, Rank]]:
        return iter(())


class _Always(_Alone):
    def judge(self, unit: Unit) -> Verdict:  # noqa: ARG002 whatever it is
        return Verdict.HOLDS


class _Since(_Alone):
    """Judges by a time."""

    def __init__(self, start: float) -> None:
        self._start = start

    def _after(self, time: float | None) -> Verdict:
        if time is None:
            return Verdict.APART
        return Verdict.HOLDS if time >= self._start else Verdict.FAILS


class _Pushed(_Since):
    def judge(self, unit: Unit) -> Verdict:
        return self._after(unit.pushed)


class _Used(_Since):
    def judge(self, unit: Unit) -> Verdict:
        return self._after(unit.active)


class _Unexpired(_Since):
    def judge(self, unit: Unit) -> Verdict:
        return self._after(expiry.expires(unit.annotations, unit.pushed))


class _Size(_Alone):
    def __init__(self, size_bytes: int) -> None:
        self._budget = Budget(size_bytes)

    def judge(self, unit: Unit) -> Verdict:
        self._budget.offer(unit.pushed or 0.0, unit.id, unit.number, unit.size_bytes)
        return Verdict.OPEN

    @override
    def winners(self) -> Iterator[tuple[int, Rank]]:
        return self._budget.winners()


class _Newest:
    """Ranks each unit once in each group that one of its names is in."""

    def __init__(self, asked: criterion.Newest) -> None:
        self._by = asked.by
        self._grouping = asked.grouping
        self._newest = ranking.Newest(asked.count)
        self.reads_names = asked.by is Order.SEMVER or asked.grouping is not None
        self._seen: dict[str, Any] = {}

    def see(self, name: str, type_: Type) -> None:
        group: str | None = ""
        if self._grouping is not None:
            groups = self._grouping.match(name)
            group = groups[0] if groups else None
        if group is None:
            return
        key = None
        if self._by is Order.SEMVER:
            key = version.parse(name.replace("_", "+", 1) if type_ is Type.CHART else name)
            if key is None or (group in self._seen and key < self._seen[group]):
                return
        self._seen[group] = key

    def forget(self) -> None:
        self._seen = {}

    def judge(self, unit: Unit) -> Verdict:
        seen: dict[str, Any] = {"": None}
        if self.reads_names:
            seen, self._seen = self._seen, {}
        verdict = Verdict.APART
        for group, seen_key in seen.items():
            key = seen_key if self._by is Order.SEMVER else self._time(unit)
            if key is not None:
                self._newest.offer(group, key, unit.id, unit.number)
                verdict = Verdict.OPEN
        return verdict

    def _time(self, unit: Unit) -> float | None:
        if self._by is Order.CREATED:
            return expiry.moment(unit.annotations.get(CREATED, ""))
        return unit.active if self._by is Order.PULL else unit.pushed

    def winners(self) -> Iterator[tuple[int, Rank]]:
        return self._newest.winners()
