"""What the rules said of each unit."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, count
from operator import gt
from typing import Final

from registry.retention.criterion import Criterion
from registry.retention.judge import Judge
from registry.retention.ledger import Ledger
from registry.retention.ranking import NO_RANK, Rank
from registry.retention.rule import Action, Rule
from registry.retention.trial import Said

NOBODY: Final = -1
_CRITERIA_LIMIT: Final = 8


@dataclass(frozen=True, slots=True)
class Cause:
    """The first rule that singles a unit out, its criterion, and the rank if that gave one."""

    rule: Rule
    criterion: Criterion
    rank: Rank


class _Causes:
    """For each unit the first criterion of the first rule that singles it out."""

    def __init__(self, units: int) -> None:
        self.found = array("h", [NOBODY]) * units
        self._ranks: dict[int, Rank] = {}

    def add(self, rule: int, criterion: int, said: Said) -> None:
        cause = rule * _CRITERIA_LIMIT + criterion
        for unit in compress(count(), said.singled):
            if self.found[unit] == NOBODY:
                self.found[unit] = cause
                if unit in said.ranks:
                    self._ranks[unit] = said.ranks[unit]

    def of(self, unit: int, rules: Sequence[Rule]) -> Cause | None:
        cause = self.found[unit]
        if cause == NOBODY:
            return None
        rule = rules[cause // _CRITERIA_LIMIT]
        criterion = rule.criteria[cause % _CRITERIA_LIMIT]
        return Cause(rule, criterion, self._ranks.get(unit, NO_RANK))

    def counts(self) -> Counter[int]:
        """Return for how many units each rule is the first, by its number."""
        counted: Counter[int] = Counter()
        for cause, units in Counter(self.found).items():
            counted[cause // _CRITERIA_LIMIT] += units
        return counted


class Rulings:
    """Asks every judge, rule by rule, when all units are known.

    The first rule that keeps something names the reason: the order changes reasons, nothing else.
    """

    def __init__(self, judges: Sequence[Judge], ledger: Ledger, now: float) -> None:
        """Raise UnknownFact."""
        units = len(ledger.tags)
        self._rules = [judge.rule for judge in judges]
        self._selected: list[int] = []
        self._keeping = _Causes(units)
        self._sparing = _Causes(units)
        # The number of the rule that deletes a unit, first one that also deletes what is immutable.
        self._deleters = array("h", [NOBODY]) * units
        for number, judge in enumerate(judges):
            meant = judge.meant(ledger)
            self._selected.append(meant.count(True))
            said = judge.said(ledger, meant, now)
            if judge.rule.action is Action.KEEP:
                for place, one in enumerate(said):
                    self._keeping.add(number, place, one)
            else:
                self._delete(number, meant, said)

    def _delete(self, number: int, meant: bytes, said: Iterator[Said]) -> None:
        """One criterion that singles out, or cannot be asked, spares what a rule would delete."""
        doomed = meant
        for place, one in enumerate(said):
            self._sparing.add(number, place, one)
            for spared in filter(None, (one.singled, one.apart)):
                doomed = bytes(map(gt, doomed, spared))
        overrides = self._rules[number].override_immutable
        for unit in compress(count(), doomed):
            before = self._deleters[unit]
            if before == NOBODY or (overrides and not self._rules[before].override_immutable):
                self._deleters[unit] = number

    @property
    def keepers(self) -> Sequence[int]:
        """What keeps each unit, NOBODY where no rule does."""
        return self._keeping.found

    def keeping(self, unit: int) -> Cause | None:
        """Return why a rule keeps a unit; None if none does."""
        return self._keeping.of(unit, self._rules)

    def sparing(self, unit: int) -> Cause | None:
        """Return why a delete rule that selects a unit spares it; None if none does."""
        return self._sparing.of(unit, self._rules)

    def deleted_by(self, unit: int) -> Rule | None:
        """Return the rule that deletes a unit, first one that also deletes what is immutable."""
        number = self._deleters[unit]
        return None if number == NOBODY else self._rules[number]

    def counts(self, gone: Sequence[int]) -> Iterator[tuple[Rule, int, int]]:
        """Yield each rule with how many units it selected, and of how many it is the reason.

        `gone` has a 1 for each unit that goes.
        """
        decided = self._keeping.counts()
        decided.update(compress(self._deleters, gone))
        for number, rule in enumerate(self._rules):
            yield rule, self._selected[number], decided[number]
