"""One rule at work in one repository: what it selects, and what its criteria say of that.

Where a rule asks for tags it sees them all while units pass by; everything else is asked of the
whole columns afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import compress
from math import isnan
from typing import Final

from registry.retention import contest, criterion, trial
from registry.retention.artifact import Type
from registry.retention.criterion import Fact
from registry.retention.errors import TooManyGroups, UnknownFact
from registry.retention.ledger import KINDS, Ledger
from registry.retention.rule import Action, Rule, TagState
from registry.retention.trial import Said
from registry.retention.unit import Unit

_ANY_NAME: Final = frozenset({"", "*", "**"})
_OF_TIME: Final = frozenset({Fact.PUSH_TIME, Fact.PULL_TIME})


class Judge:
    """Judges by one rule."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._contests = {
            place: one
            for place, asked in enumerate(rule.criteria)
            if (one := contest.of(asked)) is not None
        }
        # For each kind of unit, whether it is meant as far as that goes.
        self._kinds = bytes(self._takes(*kind) for kind in KINDS).ljust(256, b"\0")
        # Those that not every tag satisfies.
        self._demanding: list[Callable[[str], bool]] = [
            one.takes for one in rule.tags if not (one.is_matching and one.pattern in _ANY_NAME)
        ]
        self._unmet = self._demanding
        # What it deletes goes with all its tags: one that it does not mean spares the rest.
        self._wants_all = rule.action is Action.DELETE
        self._is_spared = False
        self._meant = bytearray()

    def _takes(self, type_: Type, is_tagged: bool) -> bool:  # noqa: FBT001 a kind's two parts
        state = self.rule.tag_state
        if is_tagged:
            takes = state is not TagState.UNTAGGED
        elif state is None:
            takes = all(one.takes_artifact(()) for one in self.rule.tags)
        else:
            takes = state is not TagState.TAGGED
        return takes and type_ in self.rule.types

    @property
    def looks_closely(self) -> bool:
        """Whether it has to see the tags of each unit, and each unit."""
        return bool(self._demanding or self._contests or self.rule.conditions)

    def see(self, name: str, type_: Type) -> None:
        """Take note of a tag of the next unit."""
        if self._wants_all:
            self._is_spared |= not all(takes(name) for takes in self._demanding)
        elif self._unmet:
            self._unmet = [takes for takes in self._unmet if not takes(name)]
        if self._contests and all(takes(name) for takes in self._demanding):
            for one in self._contests.values():
                one.see(name, type_)

    def judge(self, unit: Unit, ledger: Ledger, *, is_tagged: bool) -> None:
        """Say whether a unit is meant, the ledger's last; raise UnknownFact, TooManyGroups."""
        is_named = not is_tagged or not (self._is_spared if self._wants_all else self._unmet)
        self._unmet, self._is_spared = self._demanding, False
        try:
            is_meant = (
                is_named
                and bool(self._kinds[ledger.kinds[-1]])
                and all(one.takes(unit.artifact) for one in self.rule.conditions)
            )
            self._meant.append(is_meant)
            for one in self._contests.values():
                one.enter(ledger, is_meant=is_meant)
        except UnknownFact as error:
            raise UnknownFact(f"{self.rule.name} {error}") from None
        except TooManyGroups as error:
            raise TooManyGroups(f"{self.rule.name}: {error}") from None

    def meant(self, ledger: Ledger) -> bytes:
        """Return a byte for each unit, 1 for those that the rule selects; raise UnknownFact."""
        meant = bytes(self._meant if self.looks_closely else ledger.kinds.translate(self._kinds))
        needed = frozenset[Fact]().union(*map(criterion.facts, self.rule.criteria))
        if needed & _OF_TIME and any(compress(map(isnan, ledger.pushed), meant)):
            raise UnknownFact(
                f"{self.rule.name} asks when artifacts were pushed or pulled,"
                " and the registry does not tell"
            )
        return meant

    def said(self, ledger: Ledger, meant: bytes, now: float) -> Iterator[Said]:
        """Yield what each criterion says of what is meant."""
        for place, asked in enumerate(self.rule.criteria):
            held = self._contests.get(place)
            yield held.said() if held else trial.of(asked, ledger, meant, now)
