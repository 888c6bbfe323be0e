"""Verdicts on made-up artifacts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from jobservice.domain.retention_verdict import Verdict
from registry.retention.guard import Totals

DAY = datetime(2026, 11, 26, 3, 4, 5, tzinfo=UTC)


def verdict(number: int, *tags: str, goes: bool = True, reason: str = "because") -> Verdict:
    digest = f"sha256:{number:064x}"
    return Verdict(
        reference=digest,
        digest=digest,
        tags=tags,
        goes=goes,
        reason=reason,
        size_bytes=1536,
        pushed_at=DAY,
        used_at=None,
    )


@dataclass(frozen=True, kw_only=True)
class Decided:
    """A decision that was made beforehand."""

    verdicts: Sequence[Verdict] = ()
    matched: Mapping[str, int] = field(default_factory=dict)
    remarks: Sequence[str] = ()

    @property
    def total(self) -> int:
        return len(self.verdicts)

    @property
    def doomed(self) -> int:
        return sum(one.goes for one in self.verdicts)

    @property
    def doomed_bytes(self) -> int:
        return sum(one.size_bytes for one in self.verdicts if one.goes)

    def added_to(self, totals: Totals, repository: str) -> Totals:
        return totals.adding(
            repository, candidates=self.total, going=self.doomed, empties=False, unselected=False
        )

    def going(self) -> Iterator[Verdict]:
        return (one for one in self.verdicts if one.goes)

    def kept(self) -> Iterator[Verdict]:
        return (one for one in self.verdicts if not one.goes)
