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
from registry.retention.criterion import Fact
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
        self._asks_annotations = Fact.ANNOTATIONS in rules.needed
        self._judges = [Judge(rule) for rule in rules.rules]
        self._readers = [judge for judge in self._judges if judge.looks_closely]
        self._ledger = Ledger()
        self._artifact: Artifact | None = None
        self._unit: Unit | None = None
        self._tags = 0

    def take(self, artifacts: Iterable[Artifact]) -> None:
        """Take note of artifacts; raise UnknownFact, TooManyGroups."""
        for artifact in artifacts:
            if self._artifact is None or self._artifact.id != artifact.id:
                self._close()
                self._ledger.begin(artifact)
                self._artifact, self._unit, self._tags = artifact, Unit(artifact), 0
            else:
                self._ledger.name(artifact.tags)
            self._see(artifact)

    def decide(self) -> Decision:
        """Return the decision, when all have been told of; raise UnknownFact, TooManyGroups."""
        self._close()
        rulings = Rulings(self._judges, self._ledger, self._now)
        return settling.settle(self._ledger, rulings, rest_goes=self._rest_goes, now=self._now)

    def _see(self, artifact: Artifact) -> None:
        ledger, unit = self._ledger, self._unit
        assert unit is not None  # noqa: S101  an artifact has begun
        for place, tag in enumerate(artifact.tags, self._tags):
            subject = closure.subject_of(tag.name)
            if subject is not None:
                ledger.refer(subject)
                continue
            ledger.own_tags[-1] += 1
            for reader in self._readers:
                reader.see(tag.name, unit.type)
            if self._by_tag:
                unit.narrow(artifact, tag, place)
                self._add(artifact, unit, place, is_tagged=True)
            else:
                unit.take(tag, place)
        self._tags += len(artifact.tags)

    def _close(self) -> None:
        """Add what is judged as a whole, when all its tags are known."""
        unit, artifact = self._unit, self._artifact
        self._unit = self._artifact = None
        if unit is None or artifact is None:
            return
        is_tagged = self._ledger.own_tags[-1] > 0
        follows = bool(artifact.parents or artifact.subject or self._tags)
        if (is_tagged and not self._by_tag) or not (is_tagged or follows):
            self._add(artifact, unit, ALL_TAGS, is_tagged=is_tagged)

    def _add(self, artifact: Artifact, unit: Unit, tag: int, *, is_tagged: bool) -> None:
        self._ledger.add(unit, tag, is_tagged=is_tagged)
        if self._asks_annotations:
            self._ledger.annotate(artifact.annotations, unit.pushed)
        for reader in self._readers:
            reader.judge(unit, self._ledger, is_tagged=is_tagged)
