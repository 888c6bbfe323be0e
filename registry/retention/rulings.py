"""What the rules said of each unit."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from registry.retention.artifact import Type
from registry.retention.criterion import Criterion
from registry.retention.judge import Judge
from registry.retention.ranking import NO_RANK, Rank
from registry.retention.rule import Action, Rule
from registry.retention.unit import Unit
from registry.retention.verdict import Verdict

_NO_CAUSE: Final = 2**15 - 1
_CRITERIA_LIMIT: Final = 8


@dataclass(frozen=True, slots=True)
class Cause:
    """The first rule that singles a unit out, its criterion, and the rank if that gave one."""

    rule: Rule
    criterion: Criterion
    rank: Rank


class _Causes:
    """Which of some rules singles out each unit."""

    def __init__(self, judges: Sequence[Judge]) -> None:
        self._judges = judges
        self._found = array("h")
        self._ranks: dict[int, Rank] = {}

    def ask(self, unit: Unit, *, is_tagged: bool) -> list[Verdict]:
        """Let all judge the next unit; write down the first that singles it out."""
        verdicts: list[Verdict] = []
        cause = _NO_CAUSE
        for number, judge in enumerate(self._judges):
            verdict, criterion = judge.judge(unit, is_tagged=is_tagged)
            verdicts.append(verdict)
            if verdict is Verdict.HOLDS and cause == _NO_CAUSE:
                cause = number * _CRITERIA_LIMIT + criterion
        self._found.append(cause)
        return verdicts

    def finish(self) -> None:
        """Let those that compare say who won."""
        for number, judge in enumerate(self._judges):
            for unit, criterion, rank in judge.winners():
                cause = number * _CRITERIA_LIMIT + criterion
                if cause < self._found[unit]:
                    self._found[unit] = cause
                    self._ranks[unit] = rank

    def rule(self, unit: int) -> Rule | None:
        """Return the first rule that singles a unit out."""
        found = self._found[unit]
        return None if found == _NO_CAUSE else self._judges[found // _CRITERIA_LIMIT].rule

    def of(self, unit: int) -> Cause | None:
        """Return that rule with its criterion and rank."""
        rule = self.rule(unit)
        if rule is None:
            return None
        criterion = rule.criteria[self._found[unit] % _CRITERIA_LIMIT]
        return Cause(rule, criterion, self._ranks.get(unit, NO_RANK))


class Rulings:
    """Collects what every judge says.

    The first rule that keeps something names the reason: the order changes reasons, nothing else.
    """

    def __init__(self, judges: Sequence[Judge]) -> None:
        self._judges = judges
        self._readers = [judge for judge in judges if judge.reads_names]
        keepers = [judge for judge in judges if judge.rule.action is Action.KEEP]
        self._deleters = [judge for judge in judges if judge.rule.action is Action.DELETE]
        self._keeping = _Causes(keepers)
        self._sparing = _Causes(self._deleters)
        self._doomed = [bytearray() for _ in self._deleters]

    def see(self, name: str, type_: Type) -> None:
        """Tell everybody of a tag of the unit that is judged next."""
        for judge in self._readers:
            judge.see(name, type_)

    def judge(self, unit: Unit, *, is_tagged: bool) -> None:
        """Let everybody judge a unit; units come in the order of their numbers."""
        self._keeping.ask(unit, is_tagged=is_tagged)
        if not self._deleters:
            return
        verdicts = self._sparing.ask(unit, is_tagged=is_tagged)
        for doomed, verdict in zip(self._doomed, verdicts, strict=True):
            doomed.append(verdict in {Verdict.OPEN, Verdict.FAILS})

    def finish(self) -> None:
        """Let those that compare say who won."""
        self._keeping.finish()
        self._sparing.finish()
        for doomed, judge in zip(self._doomed, self._deleters, strict=True):
            for unit, _, _ in judge.winners():
                doomed[unit] = False

    def kept_by(self, unit: int) -> Rule | None:
        """Return the first rule that keeps a unit."""
        return self._keeping.rule(unit)

    def keeping(self, unit: int) -> Cause | None:
        """Return why a rule keeps a unit; None if none does."""
        return self._keeping.of(unit)

    def sparing(self, unit: int) -> Cause | None:
        """Return why a delete rule that selects a unit spares it; None if none does."""
        return self._sparing.of(unit) if self._deleters else None

    def deleted_by(self, unit: int) -> Rule | None:
        """Return the rule that deletes a unit, first one that also deletes what is immutable."""
        found: Rule | None = None
        for doomed, judge in zip(self._doomed, self._deleters, strict=True):
            if doomed[unit]:
                if judge.rule.override_immutable:
                    return judge.rule
                found = found or judge.rule
        return found

    def counts(self) -> Iterator[tuple[Rule, int]]:
        """Yield each rule with the number of units that it selected."""
        for judge in self._judges:
            yield judge.rule, judge.selected
