"""What rules judge: an artifact, or in the scope of tags one of its tags."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from registry.retention.artifact import Artifact, Tag

NO_TAG: Final = -1


class Unit:
    """Its facts, gathered tag by tag; times are seconds since the epoch.

    `active` is the latest of push, pull and use. Both times are None where the registry cannot tell
    when it was pushed. A use of an artifact counts as one of all its tags.
    """

    __slots__ = ("active", "artifact", "immutable", "immutable_tag", "pushed", "type")

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self.type = artifact.type
        self.pushed = self.active = _seconds(artifact.pushed_at)
        self.immutable = ""
        self.immutable_tag = NO_TAG
        self._use(artifact.pulled_at, artifact.used_at)

    def take(self, tag: Tag, place: int) -> None:
        """Count a tag's times, and note whether it may not go."""
        pushed = _seconds(tag.pushed_at)
        if pushed is None:
            self.pushed = self.active = None
        elif self.pushed is not None and self.active is not None:
            self.pushed = max(self.pushed, pushed)
            self.active = max(self.active, pushed)
        self._use(tag.pulled_at, tag.used_at)
        if tag.immutable and not self.immutable:
            self.immutable, self.immutable_tag = tag.immutable, place

    def narrow(self, artifact: Artifact, tag: Tag, place: int) -> None:
        """Become the unit of one tag."""
        self.pushed = self.active = _seconds(tag.pushed_at)
        self.immutable, self.immutable_tag = tag.immutable, place
        self._use(artifact.pulled_at, artifact.used_at)
        self._use(tag.pulled_at, tag.used_at)

    def _use(self, pulled_at: datetime | None, used_at: datetime | None) -> None:
        if self.active is not None:
            if pulled_at is not None:
                self.active = max(self.active, pulled_at.timestamp())
            if used_at is not None:
                self.active = max(self.active, used_at.timestamp())


def _seconds(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()
