"""A decision of the rules, as jobs and previews see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from jobservice.domain.retention_verdict import Verdict
from registry.retention.decision import Decision, Fate, Outcome
from registry.retention.guard import Totals
from registry.retention.rule_set import Scope


class Decided:
    """A decision, as jobs and previews see it."""

    def __init__(self, decision: Decision, scope: Scope) -> None:
        self._decision = decision
        self._is_by_tag = scope is Scope.TAG
        self.total = decision.total
        self.doomed = sum(1 for _ in self.going())
        self.doomed_bytes = decision.deleted_bytes
        self.matched: Mapping[str, int] = {one.rule: one.selected for one in decision.rules}
        self.remarks = tuple(self._remarks())

    def added_to(self, totals: Totals, repository: str) -> Totals:
        """Return what a run would take with this repository; by tags where they go one by one."""
        found, by_tag = self._decision, self._is_by_tag
        return totals.adding(
            repository,
            candidates=max(found.total, found.tags) if by_tag else found.total,
            going=max(found.deleted, found.deleted_tags) if by_tag else found.deleted,
            empties=found.takes_last_tag,
            unselected=found.selects_nothing,
        )

    def going(self) -> Iterator[Verdict]:
        """Yield what goes, indexes before their children; an artifact once, whatever the scope."""
        for _, together in groupby(self._decision.going(), key=lambda outcome: outcome.id):
            outcomes = list(together)
            whole = [one for one in outcomes if one.fate is Fate.DELETED]
            if whole:
                yield _artifact(whole)
            yield from (_tag(one) for one in outcomes if one.fate is Fate.UNTAGGED)

    def kept(self) -> Iterator[Verdict]:
        """Yield what stays, and what garbage collection takes after what it belongs to."""
        for outcome in self._decision.outcomes():
            if outcome.fate in {Fate.KEPT, Fate.FOLLOWING}:
                follows = outcome.fate is Fate.FOLLOWING
                yield replace(_tag(outcome), reference=outcome.digest, goes=False, follows=follows)

    def _remarks(self) -> Iterator[str]:
        if self._decision.selects_nothing:
            yield "no rule selects anything here, and by Harbor's semantics everything goes"
            return
        for rule, count in self.matched.items():
            if not count:
                yield f"{rule} selects nothing here"


def _artifact(outcomes: Sequence[Outcome]) -> Verdict:
    """Return the verdict on an artifact that goes with all its tags."""
    first = _tag(outcomes[0])
    used = [one.active_at for one in outcomes if one.active_at is not None]
    return replace(
        first,
        reference=first.digest,
        tags=tuple(tag for one in outcomes for tag in one.tags),
        used_at=max(used, default=None),
        overrides_immutable=any(one.overrides_immutable for one in outcomes),
    )


def _tag(outcome: Outcome) -> Verdict:
    return Verdict(
        reference=f"{outcome.tags[0] if outcome.tags else ''}@{outcome.digest}",
        digest=outcome.digest,
        tags=outcome.tags,
        goes=True,
        reason=outcome.reason,
        size_bytes=outcome.size_bytes,
        pushed_at=outcome.pushed_at,
        used_at=outcome.active_at,
        overrides_immutable=outcome.overrides_immutable,
    )
