"""A decision of the rules, as jobs and previews see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter

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
        self.doomed = decision.deleted + decision.untagged
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
        for _, together in groupby(self._decision.going(), key=attrgetter("id")):
            outcomes = tuple(together)
            whole = tuple(one for one in outcomes if one.fate is Fate.DELETED)
            if whole:
                yield _verdict(whole, reference=whole[0].digest)
            yield from (_of_tag(one) for one in outcomes if one.fate is Fate.UNTAGGED)

    def kept(self) -> Iterator[Verdict]:
        """Yield what stays, and what garbage collection takes after what it belongs to."""
        for outcome in self._decision.outcomes():
            if outcome.fate is Fate.KEPT or outcome.fate is Fate.FOLLOWING:
                yield _verdict((outcome,), reference=outcome.digest)

    def _remarks(self) -> Iterator[str]:
        if self._decision.selects_nothing:
            yield "no rule selects anything here, and by Harbor's semantics everything goes"
            return
        for rule, count in self.matched.items():
            if not count:
                yield f"{rule} selects nothing here"


def _of_tag(outcome: Outcome) -> Verdict:
    """Return the verdict on a tag that goes alone."""
    return _verdict((outcome,), reference=f"{outcome.tags[0]}@{outcome.digest}")


def _verdict(outcomes: Sequence[Outcome], *, reference: str) -> Verdict:
    """Return the verdict on what has the same fate: an artifact's outcomes, or one of them."""
    first = outcomes[0]
    used = [one.active_at for one in outcomes if one.active_at is not None]
    return Verdict(
        reference=reference,
        digest=first.digest,
        tags=tuple(tag for one in outcomes for tag in one.tags),
        goes=first.fate in {Fate.DELETED, Fate.UNTAGGED},
        follows=first.fate is Fate.FOLLOWING,
        reason=first.reason,
        size_bytes=first.size_bytes,
        pushed_at=first.pushed_at,
        used_at=max(used, default=None),
        overrides_immutable=any(one.overrides_immutable for one in outcomes),
    )
