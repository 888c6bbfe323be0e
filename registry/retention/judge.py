"""One rule at work in one repository: what it selects, and what its criteria say of that.

Units pass by with all their names. What depends on one unit alone is judged at once; what depends
on the others (the newest, a budget) when all have passed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from registry.retention import criterion, trial
from registry.retention.artifact import Type
from registry.retention.criterion import Fact
from registry.retention.errors import TooManyGroups, UnknownFact
from registry.retention.name_selector import NameSelector
from registry.retention.ranking import Rank
from registry.retention.rule import Action, Rule, TagState
from registry.retention.trial import Trial
from registry.retention.unit import Unit
from registry.retention.verdict import Verdict

NO_CRITERION: Final = -1


_ANY_NAME: Final = frozenset({"", "*", "**"})


class Judge:
    """Judges by one rule. `selected` counts what it selected."""

    def __init__(self, rule: Rule, now: float) -> None:
        self.rule = rule
        self.selected = 0
        self._trials: tuple[Trial, ...] = tuple(trial.of(one, now) for one in rule.criteria)
        self._readers = tuple(one for one in self._trials if one.reads_names)
        needed = frozenset[Fact]().union(*map(criterion.facts, rule.criteria))
        self._needs_times = bool(needed & {Fact.PUSH_TIME, Fact.PULL_TIME})
        self._takes_tagged = rule.tag_state is not TagState.UNTAGGED
        self._takes_untagged = (
            all(one.takes_artifact(()) for one in rule.tags)
            if rule.tag_state is None
            else rule.tag_state is not TagState.TAGGED
        )
        # Those that not every tag satisfies.
        self._demanding = [
            one for one in rule.tags if not (one.is_matching and one.pattern in _ANY_NAME)
        ]
        self._unmet: Sequence[NameSelector] = self._demanding
        # What it deletes goes with all its tags: one that it does not mean spares the rest.
        self._wants_all = rule.action is Action.DELETE
        self._is_spared = False

    @property
    def reads_names(self) -> bool:
        """Whether it has to see the tags of a unit."""
        return self._takes_tagged and bool(self._demanding or self._readers)

    def see(self, name: str, type_: Type) -> None:
        """Take note of a tag of the unit that is judged next."""
        if self._wants_all:
            self._is_spared |= not all(one.takes(name) for one in self._demanding)
        elif self._unmet:
            self._unmet = [one for one in self._unmet if not one.takes(name)]
        if not self._readers or type_ not in self.rule.types:
            return
        if all(one.takes(name) for one in self._demanding):
            for reader in self._readers:
                reader.see(name, type_)

    def judge(self, unit: Unit, *, is_tagged: bool) -> tuple[Verdict, int]:
        """Return what comes of the unit, and which criterion says so.

        HOLDS and FAILS are final; with OPEN `winners` may still single it out. APART is none of the
        rule's business.
        """
        is_meant = not (self._is_spared if self._wants_all else self._unmet)
        self._unmet, self._is_spared = self._demanding, False
        takes = (self._takes_tagged and is_meant) if is_tagged else self._takes_untagged
        if not takes or unit.type not in self.rule.types or not self._meets_conditions(unit):
            for reader in self._readers:
                reader.forget()
            return Verdict.APART, NO_CRITERION
        self.selected += 1
        if self._needs_times and unit.pushed is None:
            raise UnknownFact(
                f"{self.rule.name} asks when artifacts were pushed or pulled,"
                " and the registry does not tell"
            )
        try:
            if len(self._trials) == 1:
                return self._trials[0].judge(unit), 0
            return _together([one.judge(unit) for one in self._trials])
        except TooManyGroups as error:
            raise TooManyGroups(f"{self.rule.name}: {error}") from None

    def _meets_conditions(self, unit: Unit) -> bool:
        try:
            return all(one.takes(unit.artifact) for one in self.rule.conditions)
        except UnknownFact as error:
            raise UnknownFact(f"{self.rule.name} {error}") from None

    def winners(self) -> Iterator[tuple[int, int, Rank]]:
        """Yield the units left open that a criterion singles out, with the criterion's index."""
        for index, one in enumerate(self._trials):
            for unit, rank in one.winners():
                yield unit, index, rank


def _together(verdicts: list[Verdict]) -> tuple[Verdict, int]:
    """Return what several criteria say: one that holds is enough, one that cannot say prevents."""
    for decisive in (Verdict.HOLDS, Verdict.APART, Verdict.OPEN):
        if decisive in verdicts:
            return decisive, verdicts.index(decisive)
    return Verdict.FAILS, NO_CRITERION
