"""What is remembered of a repository while it is decided: columns, some 150 bytes for each tag.

An artifact has one unit, or one for each of its tags in the scope of tags, or none where it is not
a candidate: a child of an index or what accompanies another, without a tag of its own.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, pairwise
from math import nan
from operator import le
from typing import Final

from registry.retention import expiry
from registry.retention.artifact import Artifact, Tag, Type
from registry.retention.criterion import Order
from registry.retention.texts import Texts
from registry.retention.unit import Unit

ALL_TAGS: Final = -1
# Of units: their type, and whether they are tagged.
KINDS: Final = [(type_, is_tagged) for type_ in Type for is_tagged in (False, True)]
_KIND_NUMBERS: Final = {kind: number for number, kind in enumerate(KINDS)}


class Ledger:
    """Columns of artifacts and of units; both grow at the end only.

    Times are seconds since the epoch, NaN where they are not known.
    """

    def __init__(self) -> None:
        # Of artifacts. A name is the digest, then the tags; companions are no own tags.
        self.ids = array("q")
        self.names = Texts()
        self.sizes = array("q")
        self.held = array("i")
        self.own_tags = array("i")
        self.first_units = array("i")
        # Of units: whose they are; the place of its one tag among the artifact's, or ALL_TAGS; what
        # forbids to delete it, and which tag has that.
        self.artifacts = array("i")
        self.tags = array("i")
        self.kinds = bytearray()
        self.pushed = array("d")
        self.active = array("d")
        self.immutable = array("i")
        self.immutable_tags = array("i")
        # Of units where a rule asks for it: what annotations say.
        self.created = array("d")
        self.expires = array("d")
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

    def add(self, unit: Unit, tag: int, *, is_tagged: bool) -> None:
        """Add a unit of the last artifact."""
        self.artifacts.append(len(self.ids) - 1)
        self.tags.append(tag)
        self.kinds.append(_KIND_NUMBERS[unit.type, is_tagged])
        self.pushed.append(nan if unit.pushed is None else unit.pushed)
        self.active.append(nan if unit.active is None else unit.active)
        self.immutable.append(self._word(unit.immutable))
        self.immutable_tags.append(unit.immutable_tag)

    def annotate(self, annotations: Mapping[str, str], pushed: float | None) -> None:
        """Write down what the last unit says of itself."""
        created = expiry.moment(annotations.get(expiry.CREATED, ""))
        expires = expiry.expires(annotations, pushed)
        self.created.append(nan if created is None else created)
        self.expires.append(nan if expires is None else expires)

    def _word(self, text: str) -> int:
        """Return the place in `words` of a text that many share."""
        if not text:
            return 0
        number = self._numbers.setdefault(text, len(self.words))
        if number == len(self.words):
            self.words.append(text)
        return number

    def times(self, order: Order) -> array[float]:
        """Return the units' times by which an order ranks; versions are none."""
        return {
            Order.PUSH: self.pushed,
            Order.PULL: self.active,
            Order.CREATED: self.created,
        }[order]

    def spans(self) -> Iterator[range]:
        """Yield the numbers of each artifact's units."""
        return (range(*ends) for ends in pairwise(chain(self.first_units, (len(self.tags),))))

    def latest_first(self) -> Iterator[int]:
        """Yield artifacts by their ids, the highest first."""
        places = range(len(self.ids))
        if all(map(le, self.ids, islice(self.ids, 1, None))):
            return reversed(places)
        return iter(sorted(places, key=self.ids.__getitem__, reverse=True))

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
