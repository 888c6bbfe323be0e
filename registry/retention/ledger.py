"""What is remembered of a repository while it is decided: columns, some 150 bytes for each tag.

An artifact has one unit, or one for each of its tags in the scope of tags, or none where it is not
a candidate: a child of an index or what accompanies another, without a tag of its own.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Final

from registry.retention.artifact import Artifact, Tag
from registry.retention.texts import Texts
from registry.retention.unit import Unit

ALL_TAGS: Final = -1


class Ledger:
    """Columns of artifacts and of units; both grow at the end only."""

    def __init__(self) -> None:
        # Of artifacts. A name is the digest, then the tags; companions are no own tags.
        self.ids = array("q")
        self.names = Texts()
        self.sizes = array("q")
        self.held = array("i")
        self.own_tags = array("i")
        self.first_units = array("i")
        # Of units: the place of its one tag among the artifact's, or ALL_TAGS; what forbids to
        # delete it, and which tag has that.
        self.tags = array("i")
        self.pushed = array("d")
        self.active = array("d")
        self.immutable = array("i")
        self.immutable_tags = array("i")
        # Who depends on whom: the follower's place, and the id or the digest of whom it follows.
        self.children = array("i")
        self.parent_ids = array("q")
        self.referrers = array("i")
        self.subjects = Texts()
        self.words: list[str] = [""]
        self._numbers: dict[str, int] = {"": 0}

    def begin(self, artifact: Artifact) -> None:
        """Add an artifact, with the names of its tags."""
        place = len(self.ids)
        self.ids.append(artifact.id)
        self.names.append(artifact.digest + _listed(artifact.tags))
        self.sizes.append(artifact.size_bytes)
        self.held.append(self._word(artifact.held))
        self.own_tags.append(0)
        self.first_units.append(len(self.tags))
        for parent in artifact.parents:
            self.children.append(place)
            self.parent_ids.append(parent)
        if artifact.subject:
            self.refer(artifact.subject)

    def name(self, tags: Sequence[Tag]) -> None:
        """Add tags to the last artifact."""
        self.names.extend(_listed(tags))

    def refer(self, subject: str) -> None:
        """Write down that the last artifact accompanies a subject."""
        self.referrers.append(len(self.ids) - 1)
        self.subjects.append(subject)

    def add(self, unit: Unit, tag: int) -> None:
        """Add a unit of the last artifact."""
        self.tags.append(tag)
        self.pushed.append(unit.pushed or 0.0)
        self.active.append(unit.active or 0.0)
        self.immutable.append(self._word(unit.immutable))
        self.immutable_tags.append(unit.immutable_tag)

    def _word(self, text: str) -> int:
        """Return the place in `words` of a text that many share."""
        if not text:
            return 0
        number = self._numbers.setdefault(text, len(self.words))
        if number == len(self.words):
            self.words.append(text)
        return number

    def names_of(self, artifact: int) -> tuple[str, tuple[str, ...]]:
        """Return digest and tags."""
        digest, *tags = self.names[artifact].split(" ")
        return digest, tuple(tags)

    def digest_of(self, artifact: int) -> str:
        """Return the digest."""
        return self.names[artifact].partition(" ")[0]

    def units_of(self, artifact: int) -> range:
        """Return the numbers of an artifact's units."""
        following = artifact + 1
        is_last = following == len(self.first_units)
        end = len(self.tags) if is_last else self.first_units[following]
        return range(self.first_units[artifact], end)


def _listed(tags: Sequence[Tag]) -> str:
    return "".join([f" {tag.name}" for tag in tags])
