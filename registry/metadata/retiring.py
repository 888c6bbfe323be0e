"""Artifacts that somebody decided to delete, as they are by now, and locked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from database.pool import Connection
from protocol import referrers
from protocol.digest import Digest
from registry.metadata import digests
from registry.uses import EXACT_TO

LOCK = """
SELECT m.id, m.digest, m.held, m.last_used_at, m.lease_until > now() AS is_leased,
       greatest(m.pushed_at, m.pulled_at, m.last_used_at) AS used_at,
       (SELECT min(p.owner) FROM registry.pins p WHERE p.manifest_id = m.id
        AND (p.expires_at IS NULL OR p.expires_at > now())) AS pinned_by
FROM registry.repositories r JOIN registry.manifests m ON m.repository_id = r.id
WHERE r.name = $1 AND m.digest = ANY($2::bytea[])
ORDER BY m.id FOR UPDATE OF m
"""
LOCK_TAGS = """
SELECT t.manifest_id, t.name, greatest(t.pushed_at, t.pulled_at, t.last_used_at) AS used_at
FROM registry.repositories r JOIN registry.tags t ON t.repository_id = r.id
WHERE r.name = $1 AND t.manifest_id = ANY($2::bigint[])
ORDER BY t.name FOR UPDATE OF t
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An artifact by now: its tags, and when it or one of them was last pushed, pulled or used.

    `last_used_at` is when it was last asked for, to a minute: what came within the minute after is
    not known. `is_leased`: it was pushed within the hour.
    """

    tags: Mapping[str, datetime]
    used_at: datetime
    last_used_at: datetime | None
    is_leased: bool
    is_held: bool
    pinned_by: str | None

    @property
    def protection(self) -> str:
        """Say who keeps it; nothing where nobody does."""
        if self.is_held:
            return "it is held"
        return "" if self.pinned_by is None else f"it is pinned by {self.pinned_by}"

    def changed(self, tags: Sequence[str], used_at: datetime, decided_at: datetime) -> str:
        """Say why what was decided about it no longer holds; nothing where it does."""
        if _own(self.tags) != _own(tags):
            return "its tags have changed since it was decided"
        used = self._used(max([self.used_at, *self.tags.values()]), used_at, decided_at)
        if self.is_leased and not self.tags:
            return used or "it was pushed within the hour; what names it may be on its way"
        return used

    def tag_changed(self, tag: str, used_at: datetime, decided_at: datetime) -> str:
        """Say why what was decided about one tag of it no longer holds; nothing where it does."""
        if tag not in self.tags:
            return "the tag points to something else by now"
        return self._used(max(self.used_at, self.tags[tag]), used_at, decided_at)

    def _used(self, latest: datetime, used_at: datetime, decided_at: datetime) -> str:
        if latest > used_at:
            return "it was used since it was decided"
        if self.last_used_at is not None and self.last_used_at > decided_at - EXACT_TO:
            return "it was used in the minute before it was decided, and perhaps since"
        return ""


def _own(tags: Iterable[str]) -> set[str]:
    """Return tags without those that only say what an artifact accompanies."""
    return {tag for tag in tags if not referrers.is_companion_tag(tag)}


async def lock(
    connection: Connection, repository: str, wanted: Sequence[Digest]
) -> Mapping[Digest, Standing]:
    """Return artifacts of a repository as they are; those that are gone are left out."""
    rows = await connection.fetch(LOCK, repository, [digests.encode(one) for one in wanted])
    tags: dict[int, dict[str, datetime]] = {row["id"]: {} for row in rows}
    for tag in await connection.fetch(LOCK_TAGS, repository, list(tags)):
        tags[tag["manifest_id"]][tag["name"]] = tag["used_at"]
    return {
        digests.decode(row["digest"]): Standing(
            tags=tags[row["id"]],
            used_at=row["used_at"],
            last_used_at=row["last_used_at"],
            is_leased=row["is_leased"],
            is_held=row["held"],
            pinned_by=row["pinned_by"],
        )
        for row in rows
    }


CLOCK = "SELECT clock_timestamp()"


async def clock(connection: Connection) -> datetime:
    """Return the time by which uses are written down."""
    now: datetime = await connection.fetchval(CLOCK)
    return now
