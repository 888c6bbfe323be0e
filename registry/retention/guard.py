"""Whether a run would take so much that somebody has to approve of it first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

NAMED_REPOSITORIES: Final = 10
TIMES_PREVIOUS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What a run would delete, over all repositories.

    `emptied` are some of those that would lose their last tag, `unselected` some of those in which
    no rule selects anything; `emptied_count` and `unselected_count` are all of them.
    """

    candidates: int = 0
    going: int = 0
    emptied: tuple[str, ...] = ()
    emptied_count: int = 0
    unselected: tuple[str, ...] = ()
    unselected_count: int = 0

    def adding(
        self, repository: str, *, candidates: int, going: int, empties: bool, unselected: bool
    ) -> Totals:
        """Return the totals with one more repository."""
        return Totals(
            candidates=self.candidates + candidates,
            going=self.going + going,
            emptied=_named(self.emptied, repository, counts=empties),
            emptied_count=self.emptied_count + empties,
            unselected=_named(self.unselected, repository, counts=unselected),
            unselected_count=self.unselected_count + unselected,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """From when on a run waits: more than a share of the candidates, in percent."""

    share_percent: int = 50


def reasons_to_wait(totals: Totals, guard: Guard, *, previous: int | None) -> Iterator[str]:
    """Yield why a run waits for approval; nothing if it need not.

    `previous` is what the last run that was not dry deleted, None if there was none or it deleted
    nothing.
    """
    if totals.emptied_count:
        names = _listed(totals.emptied, totals.emptied_count)
        yield f"takes the last tag of {names}"
    if totals.unselected_count:
        names = _listed(totals.unselected, totals.unselected_count)
        yield f"deletes everything in {names}, where no rule selects anything"
    if totals.going * 100 > totals.candidates * guard.share_percent:
        yield (
            f"deletes {totals.going} of {totals.candidates} artifacts, more than"
            f" {guard.share_percent} %"
        )
    if previous and totals.going > TIMES_PREVIOUS * previous:
        yield (
            f"deletes {totals.going} artifacts, more than {TIMES_PREVIOUS} times the {previous} of"
            " the previous run"
        )


def _named(names: tuple[str, ...], repository: str, *, counts: bool) -> tuple[str, ...]:
    return (*names, repository) if counts and len(names) < NAMED_REPOSITORIES else names


def _listed(names: tuple[str, ...], count: int) -> str:
    more = f" and {count - len(names)} more" if count > len(names) else ""
    return ", ".join(names) + more
