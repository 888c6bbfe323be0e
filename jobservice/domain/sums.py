"""What a forecast comes to, added up by repository and by reason in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

GROUPS_KEPT: Final = 10_000
OTHERS: Final = "(others)"


@dataclass(slots=True)
class _Group:
    count: int = 0
    bytes: int = 0

    def add(self, size: int) -> None:
        self.count += 1
        self.bytes += size


@dataclass(slots=True)
class Sums:
    """Counts and bytes by name; the names that come after the first 10,000 are one."""

    _groups: dict[str, _Group] = field(default_factory=dict)

    def add(self, name: str, size: int) -> None:
        """Count one thing of so many bytes."""
        if name not in self._groups and len(self._groups) >= GROUPS_KEPT:
            name = OTHERS
        self._groups.setdefault(name, _Group()).add(size)

    def rows(self, called: str) -> Iterator[dict[str, Any]]:
        """Yield a row for each name, the largest first."""
        order = sorted(self._groups.items(), key=lambda item: (-item[1].bytes, item[0]))
        for name, group in order:
            yield {called: name, "count": group.count, "bytes": group.bytes}
