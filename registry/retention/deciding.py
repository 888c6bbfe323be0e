"""Rules, artifacts and the time come to a decision: pure, and the same however often it is asked.

An artifact stays if a rule keeps it. What none keeps goes where a rule of Harbor's form is in force
(Harbor's semantics: what no rule retains is deleted), and else only if a delete rule means it.
What is held or has an immutable tag stays, and so does what belongs to what stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from registry.retention import closure, settling
from registry.retention.artifact import Artifact
from registry.retention.decision import Decision
from registry.retention.judge import Judge
from registry.retention.ledger import ALL_TAGS, Ledger
from registry.retention.rule_set import RuleSet, Scope
from registry.retention.rulings import Rulings
from registry.retention.unit import Unit


def decide(artifacts: Iterable[Artifact], rules: RuleSet, *, now: datetime) -> Decision:
    """Return what becomes of a repository's artifacts under the rules in force there.

    Raise UnknownFact, or TooManyGroups.
    """
    decider = Decider(rules, now=now)
    decider.take(artifacts)
    return decider.decide()


class Decider:
    """Is told of the artifacts of one repository, some at a time, then decides.

    What follows one another with the same id is one artifact. Of two that were pushed at the same
    time the one with the higher id is newer, and an index has a higher id than its children.
    """

    def __init__(self, rules: RuleSet, *, now: datetime) -> None:
        self._rest_goes = rules.deletes_the_rest
        self._now = now.timestamp()
        self._by_tag = rules.scope is Scope.TAG
        self._ledger = Ledger()
        self._rulings = Rulings([Judge(rule, self._now) for rule in rules.rules])
        self._artifact: Artifact | None = None
        self._unit: Unit | None = None
        self._tags = 0

    def take(self, artifacts: Iterable[Artifact]) -> None:
        """Take note of artifacts; raise UnknownFact, or TooManyGroups."""
        for artifact in artifacts:
            unit = self._unit
            if unit is None or unit.id != artifact.id:
                self._close()
                self._ledger.begin(artifact)
                unit = self._unit = Unit(artifact, len(self._ledger.tags))
                self._artifact, self._tags = artifact, 0
            else:
                self._ledger.name(artifact.tags)
            self._see(artifact, unit)

    def decide(self) -> Decision:
        """Return the decision, when all have been told of."""
        self._close()
        return settling.settle(
            self._ledger, self._rulings, rest_goes=self._rest_goes, now=self._now
        )

    def _see(self, artifact: Artifact, unit: Unit) -> None:
        ledger = self._ledger
        for place, tag in enumerate(artifact.tags, self._tags):
            subject = closure.subject_of(tag.name)
            if subject is not None:
                ledger.refer(subject)
                continue
            ledger.own_tags[-1] += 1
            self._rulings.see(tag.name, unit.type)
            if self._by_tag:
                unit.narrow(artifact, tag, place, len(ledger.tags))
                ledger.add(unit, place)
                self._rulings.judge(unit, is_tagged=True)
            else:
                unit.take(tag, place)
        self._tags += len(artifact.tags)

    def _close(self) -> None:
        """Judge what is judged as a whole, when all its tags are known."""
        unit, artifact = self._unit, self._artifact
        self._unit = None
        if unit is None or artifact is None:
            return
        is_tagged = self._ledger.own_tags[-1] > 0
        follows = bool(artifact.parents or artifact.subject or self._tags)
        if (is_tagged and not self._by_tag) or not (is_tagged or follows):
            self._ledger.add(unit, ALL_TAGS)
            self._rulings.judge(unit, is_tagged=is_tagged)
