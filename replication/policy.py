"""What a replication policy says, as pure data: the nouns that the plan is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

FLATTEN_ALL = -1


class FilterKind(StrEnum):
    """What a filter looks at."""

    NAME = "name"
    TAG = "tag"
    LABEL = "label"
    RESOURCE = "resource"


class Decoration(StrEnum):
    """Whether a filter keeps what matches or what does not."""

    MATCHES = "matches"
    EXCLUDES = "excludes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One condition; all filters of a policy must hold. Patterns are doublestar v1.3.4."""

    kind: FilterKind
    pattern: str
    decoration: Decoration = Decoration.MATCHES


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationPolicy:
    """The part of a policy that decides what is copied where, without endpoints and triggers.

    `flattening` is Harbor's dest_namespace_replace_count: -1 keeps only the last component, n
    replaces n leading components by `destination_namespace`. `speed_kilobits` is per transfer,
    1 kilobit = 128 bytes as in Harbor; None is unlimited.
    """

    filters: tuple[Filter, ...] = ()
    destination_namespace: str = ""
    flattening: int = FLATTEN_ALL
    override: bool = True
    referrers: bool = True
    speed_kilobits: int | None = None
    copy_by_chunk: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that snapshots keep."""
        return {
            "filters": [
                {"kind": f.kind, "pattern": f.pattern, "decoration": f.decoration}
                for f in self.filters
            ],
            "destination_namespace": self.destination_namespace,
            "flattening": self.flattening,
            "override": self.override,
            "referrers": self.referrers,
            "speed_kilobits": self.speed_kilobits,
            "copy_by_chunk": self.copy_by_chunk,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        filters = tuple(
            Filter(
                kind=FilterKind(f["kind"]),
                pattern=f["pattern"],
                decoration=Decoration(f["decoration"]),
            )
            for f in value["filters"]
        )
        return cls(**{**value, "filters": filters})
