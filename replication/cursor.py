"""Where a plan goes on: a place in the catalog and, within a repository, in its artifacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A resume point; all None is the beginning.

    `catalog` opens the catalog's page. Of that page's repositories `finished` is the last one done
    (empty: none yet, but the page is counted), and `repository` the one under way, whose listing
    goes on at `artifacts`. Names, not positions: a catalog may have changed since.
    """

    catalog: str | None = None
    finished: str | None = None
    repository: str | None = None
    artifacts: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(**value)

    def rest(self, repositories: list[str]) -> list[str]:
        """Return those of a catalog page that are not done; all of them if the mark is gone."""
        if self.repository in repositories:
            return repositories[repositories.index(self.repository) :]
        if self.finished in repositories:
            return repositories[repositories.index(self.finished) + 1 :]
        return repositories
