"""What one owner's repository has to hold, by the rules of decision 8 alone: no IO, no SQL.

An owner does one thing after the other and nobody else touches its manifests, so what is there is
known, but for what a collection may or may not have taken before something saved it: that is
`unsure` until somebody looks, when all is quiet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from protocol.digest import Digest
from tests.chaos.collecting.contents import Artifact, Universe


@dataclass(slots=True, kw_only=True)
class Model:
    """`there` is what was acknowledged; `orphaned` of it what lost its index or its subject.

    `gone` is what was deleted and may be asked back.
    """

    universe: Universe
    tags: dict[str, Digest] = field(default_factory=dict)
    there: set[Digest] = field(default_factory=set)
    orphaned: set[Digest] = field(default_factory=set)
    unsure: set[Digest] = field(default_factory=set)
    gone: set[Digest] = field(default_factory=set)

    # What happened

    def pushed(self, artifact: Artifact, tag: str | None) -> None:
        """Note a manifest that was acknowledged; what it names was there, then."""
        self._is_there(artifact.digest)
        self.unsure.difference_update(artifact.children)
        self._revive_companions(artifact.digest)
        if tag is not None:
            before = self.tags.get(tag)
            self.tags[tag] = artifact.digest
            self._lost_a_tag(before)

    def untagged(self, tag: str) -> None:
        """Note a deleted tag: what it pointed to stays."""
        self._lost_a_tag(self.tags.pop(tag))

    def deleted(self, digest: Digest) -> None:
        """Note a deleted manifest: its children and companions may have no reason left."""
        self._forget(digest)
        self.gone.add(digest)
        self._orphan(digest)

    def undeleted(self, digests: Iterable[Digest], tags: Iterable[str], root: Digest) -> None:
        """Note what came back."""
        for digest in digests:
            self._is_there(digest)
        for tag in tags:
            self.tags[tag] = root
        self.unsure.difference_update(self.universe.by_digest[root].children)
        self._revive_companions(root)

    def settle(self, found: Iterable[Digest]) -> None:
        """Note what is there when all is quiet: nothing is unsure any more."""
        lost = self.there.difference(found)
        for digest in lost:
            self._forget(digest)
        self.gone |= lost
        self.orphaned = {one for one in self.orphaned - self.unsure if one in self.there}
        self.unsure.clear()

    # What follows

    def doomed(self) -> set[Digest]:
        """Return what a collection has to take."""
        doomed: set[Digest] = set()
        while more := {
            digest
            for digest in self._without_reason(doomed)
            if digest not in self.unsure and not self.is_held(digest, doomed)
        }:
            doomed |= more
        return doomed

    def certain(self) -> set[Digest]:
        """Return what no collection may take."""
        doubtful = self.doomed() | self.unsure
        while more := {
            companion
            for digest in doubtful
            for companion in self.universe.around(digest)
            if companion in self.there - doubtful and not self.is_held(companion, doubtful)
        }:
            doubtful |= more
        return self.there - doubtful

    def certain_tags(self) -> dict[str, Digest]:
        """Return the tags that have to be there."""
        certain = self.certain()
        return {tag: digest for tag, digest in self.tags.items() if digest in certain}

    def is_held(self, digest: Digest, without: Iterable[Digest] = ()) -> bool:
        """Say whether a tag or an index needs a manifest, some left out. Its own tag is none."""
        own = self.universe.by_digest[digest].own_tag
        if any(tag != own for tag, target in self.tags.items() if target == digest):
            return True
        return any(True for _ in self.indexes_of(digest, without))

    def indexes_of(self, digest: Digest, without: Iterable[Digest] = ()) -> Sequence[Digest]:
        """Return the indexes that name a manifest."""
        there = self.there.difference(without)
        return [
            index.digest
            for index in self.universe.indexes
            if digest in index.children and index.digest in there
        ]

    def _without_reason(self, doomed: set[Digest]) -> set[Digest]:
        follows = {one for digest in doomed for one in self.universe.around(digest)}
        return (self.orphaned | follows) & self.there - doomed

    # Bookkeeping

    def _is_there(self, digest: Digest) -> None:
        self.there.add(digest)
        self.gone.discard(digest)
        self.orphaned.discard(digest)
        self.unsure.discard(digest)

    def _forget(self, digest: Digest) -> None:
        for known in (self.there, self.orphaned, self.unsure):
            known.discard(digest)
        self.tags = {tag: target for tag, target in self.tags.items() if target != digest}

    def _orphan(self, digest: Digest) -> None:
        for one in self.universe.around(digest):
            if one in self.there:
                self.orphaned.add(one)
                self.unsure.discard(one)

    def _revive_companions(self, subject: Digest) -> None:
        """Doubt what lost its subject, which is there again: a collection may have been by."""
        for one in self.universe.companions:
            if one.accompanies == subject and one.digest in self.orphaned:
                self.unsure.add(one.digest)

    def _lost_a_tag(self, digest: Digest | None) -> None:
        """Doubt what only its tag held: it depends on whether a collection looked meanwhile."""
        if digest in self.orphaned and not self.is_held(digest):
            self.unsure.add(digest)
