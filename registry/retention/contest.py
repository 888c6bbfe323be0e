"""The newest by what their tags say: by version, or of each group. Held while units pass by."""

from __future__ import annotations

from math import isnan
from typing import Any

from registry.retention import ranking, trial, version
from registry.retention.artifact import Type
from registry.retention.criterion import Criterion, Newest, Order
from registry.retention.ledger import Ledger
from registry.retention.trial import Said


def of(asked: Criterion) -> Contest | None:
    """Return the contest for a criterion that reads tags; None for others."""
    if isinstance(asked, Newest) and (asked.by is Order.SEMVER or asked.grouping is not None):
        return Contest(asked)
    return None


class Contest:
    """Ranks each unit once in each group that one of its names is in."""

    def __init__(self, asked: Newest) -> None:
        self._by = asked.by
        self._grouping = asked.grouping
        self._ranks = ranking.Newest(asked.count)
        self._seen: dict[str, Any] = {}
        self._apart = bytearray()

    def see(self, name: str, type_: Type) -> None:
        """Take note of a name of the next unit."""
        group: str | None = ""
        if self._grouping is not None:
            groups = self._grouping.match(name)
            group = groups[0] if groups else None
        if group is None:
            return
        key = None
        if self._by is Order.SEMVER:
            key = version.parse(name.replace("_", "+", 1) if type_ is Type.CHART else name)
            if key is None or (group in self._seen and key < self._seen[group]):
                return
        self._seen[group] = key

    def enter(self, ledger: Ledger, *, is_meant: bool) -> None:
        """Let the ledger's last unit take part if it is meant; raise TooManyGroups."""
        seen, self._seen = self._seen, {}
        unit, identity = len(ledger.tags) - 1, ledger.ids[-1]
        enters = False
        for group, version_ in seen.items() if is_meant else ():
            key = version_ if self._by is Order.SEMVER else ledger.times(self._by)[-1]
            if not (isinstance(key, float) and isnan(key)):
                self._ranks.offer(group, key, identity, unit)
                enters = True
        self._apart.append(is_meant and not enters)

    def said(self) -> Said:
        """Return who won, when all units have passed."""
        return trial.won(self._ranks.winners(), self._apart, len(self._apart))
