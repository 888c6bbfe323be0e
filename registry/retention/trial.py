"""What a criterion says of all units at once: a byte for each, in columns of the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress, count
from math import isnan
from operator import and_
from typing import Final, assert_never

from registry.retention import criterion, ranking
from registry.retention.criterion import Criterion, Order
from registry.retention.ledger import Ledger
from registry.retention.ranking import Rank

DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class Said:
    """Which units are singled out, and which it cannot be asked about; 1 says so.

    `ranks` has the places of those that won by comparison.
    """

    singled: Sequence[int]
    apart: Sequence[int] = ()
    ranks: Mapping[int, Rank] = field(default_factory=dict)


def of(asked: Criterion, ledger: Ledger, meant: bytes, now: float) -> Said:
    """Return what a criterion says of the units that its rule means, and nothing of others."""
    match asked:
        case criterion.Always():
            return Said(meant)
        case criterion.PushedWithin(days=days):
            return Said(_since(now - days * DAY_SECONDS, ledger.pushed, meant))
        case criterion.UsedWithin(days=days):
            return Said(_since(now - days * DAY_SECONDS, ledger.active, meant))
        case criterion.Unexpired():
            return Said(_since(now, ledger.expires, meant), _unknown(ledger.expires, meant))
        case criterion.SizeWithin(size_bytes=size_bytes):
            return _budget(size_bytes, ledger, meant)
        case criterion.Newest():
            return _newest(asked, ledger, meant)
        case _:
            assert_never(asked)


def won(winners: Iterable[tuple[int, Rank]], apart: Sequence[int], units: int) -> Said:
    """Return that the winners are singled out; of a unit's ranks the first is told."""
    ranks: dict[int, Rank] = {}
    singled = bytearray(units)
    for unit, rank in winners:
        singled[unit] = True
        ranks.setdefault(unit, rank)
    return Said(singled, apart, ranks)


def _since(start: float, times: Iterable[float], meant: bytes) -> bytes:
    """Say of what is meant whether its time is not before the start."""
    return bytes(map(and_, meant, map(start.__le__, times)))


def _unknown(times: Iterable[float], meant: bytes) -> bytes:
    return bytes(map(and_, meant, map(isnan, times)))


def _newest(asked: criterion.Newest, ledger: Ledger, meant: bytes) -> Said:
    """Compare by a time; contests compare by what tags say."""
    times = ledger.times(asked.by)
    apart = _unknown(times, meant) if asked.by is Order.CREATED else b""
    takes_part = bytes(map(int.__gt__, meant, apart)) if apart else meant
    ids = map(ledger.ids.__getitem__, ledger.artifacts)
    entries = compress(zip(times, ids, count(), strict=False), takes_part)
    winners = ranking.newest(asked.count, entries, total=takes_part.count(True))
    return won(winners, apart, len(meant))


def _budget(size_bytes: int, ledger: Ledger, meant: bytes) -> Said:
    budget = ranking.Budget(size_bytes)
    for unit in compress(count(), meant):
        artifact = ledger.artifacts[unit]
        budget.offer(ledger.pushed[unit], ledger.ids[artifact], unit, ledger.sizes[artifact])
    return won(budget.winners(), (), len(meant))
