"""What one owner's repository has to hold, by the rules of decision 8 alone: no IO, no SQL.

An owner does one thing after the other and nobody else touches its manifests, so what is there is
known, but for what a collection may or may not have taken before something saved it, and for what
a retention under way may take: that is `unsure` until somebody looks, when all is quiet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from protocol.digest import Digest
from tests.chaos.collecting import keeping
from tests.chaos.collecting.contents import Artifact, Universe
from tests.chaos.collecting.policy import Policy

STORY = 12
# What a story tells of everything.
ANY: Final = None


@dataclass(slots=True, kw_only=True)
class Model:
    """`there` is what was acknowledged; `orphaned` of it what lost its index or its subject.

    `gone` is what was deleted and may be asked back. `runs` are the retentions that may be under
    way, by a number; `over` are those of them that are not, but were when something began that has
    not been noted yet.
    """

    universe: Universe
    tags: dict[str, Digest] = field(default_factory=dict)
    there: set[Digest] = field(default_factory=set)
    orphaned: set[Digest] = field(default_factory=set)
    unsure: set[Digest] = field(default_factory=set)
    unsure_tags: set[str] = field(default_factory=set)
    gone: set[Digest] = field(default_factory=set)
    story: list[tuple[str, Digest | None]] = field(default_factory=list)
    runs: dict[int, Policy] = field(default_factory=dict)
    over: set[int] = field(default_factory=set)

    # What happened

    def pushed(self, artifact: Artifact, tag: str | None) -> None:
        """Note a manifest that was acknowledged; what it names was there, then."""
        self.story.append((f"pushed as {tag}", artifact.digest))
        doubtful = self.there - self.certain()
        self._is_there(artifact.digest)
        if tag is not None:
            before = self.tags.get(tag)
            self.tags[tag] = artifact.digest
            self.unsure_tags.discard(tag)
            self._lost_a_tag(before)
        self._saved(doubtful, seen={artifact.digest, *artifact.children})
        self._expose()

    def untagged(self, tag: str) -> None:
        """Note a deleted tag: what it pointed to stays."""
        self.story.append((f"untagged {tag}", self.tags[tag]))
        doubtful = self.there - self.certain()
        self.unsure_tags.discard(tag)
        self._lost_a_tag(self.tags.pop(tag))
        self._saved(doubtful, seen=set())
        self._expose()

    def deleted(self, digest: Digest) -> None:
        """Note a deleted manifest: its children and companions may have no reason left."""
        self.story.append(("deleted", digest))
        self._orphan(digest)
        self._forget(digest)
        self.gone.add(digest)
        self._expose()

    def vanished(self, digest: Digest) -> None:
        """Note that a manifest in doubt had gone, nobody knows when: so may have what needed it."""
        self.story.append(("gone", digest))
        doubtful = (self.there - self.certain()) | set(self.around(digest))
        self._forget(digest)
        self.gone.add(digest)
        self.unsure |= {
            one for one in doubtful & self.there if not self.is_held(one, tags=self._sure_tags())
        }
        self._expose()

    def undeleted(
        self, root: Digest, digests: Iterable[Digest], tags: Mapping[str, Digest]
    ) -> None:
        """Note what came back with `root`; what that names is there."""
        self.story.append(("undeleted", root))
        doubtful = self.there - self.certain()
        for digest in digests:
            self._is_there(digest)
        self.tags |= tags
        self.unsure_tags.difference_update(tags)
        self._saved(doubtful, seen={*digests, *self.universe.by_digest[root].children})
        self._expose()

    def retention_begins(self, run: int, policy: Policy) -> None:
        """Note that from now on a run may take what its policy lets go."""
        self.story.append((f"retention {run} begins, {policy.name}", ANY))
        self.runs[run] = policy
        self._expose()

    def retention_ends(self, run: int) -> None:
        """Note that a run has ended; what goes on now may have met it still."""
        self.story.append((f"retention {run} ends", ANY))
        self.over.add(run)

    def moves_on(self) -> None:
        """Note that everything that happened is noted: runs that are over take nothing any more."""
        for run in self.over:
            del self.runs[run]
        self.over.clear()

    def lose_untagged(self) -> None:
        """Note that what has no tag has to go, unless something needs it.

        A signature's tag is one, where nobody deleted what it signs.
        """
        self.orphaned |= self.there.difference(self.tags.values())

    def settle(self, found: Collection[Digest], tags: Mapping[str, Digest]) -> None:
        """Note what is there when all is quiet: nothing is unsure any more."""
        self.story += [("found", digest) for digest in found]
        for tag in sorted(self.unsure_tags):
            if tag in self.tags and tags.get(tag) != self.tags[tag]:
                self._lost_a_tag(self.tags.pop(tag))
        lost = self.there.difference(found)
        for digest in lost:
            self._forget(digest)
        self.gone |= lost
        self.orphaned = {one for one in self.orphaned - self.unsure if one in self.there}
        self.unsure.clear()
        self.unsure_tags.clear()

    def tell(self, digest: Digest) -> str:
        """Tell what happened to a manifest and to what has to do with it, the last at the end."""
        artifact = self.universe.by_digest[digest]
        near = {digest, artifact.accompanies, *artifact.children}
        near |= {one.digest for one in self.universe.indexes if digest in one.children}
        near |= {one.digest for one in self.universe.companions if one.accompanies == digest}
        near.add(ANY)
        told = [
            f"{what} {about and about.encoded[:6]}" for what, about in self.story if about in near
        ]
        return f"{digest.encoded[:6]}: {', '.join(told[-STORY:])}"

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
        """Return what no collection and no retention may take."""
        doubtful = self.doomed() | self.unsure
        tags = self._sure_tags()
        while more := {
            one
            for one in self.orphaned.union(*map(self.around, doubtful))
            if one in self.there - doubtful and not self.is_held(one, doubtful, tags=tags)
        }:
            doubtful |= more
        return self.there - doubtful

    def certain_tags(self) -> dict[str, Digest]:
        """Return the tags that have to be there."""
        certain = self.certain()
        return {tag: one for tag, one in self._sure_tags().items() if one in certain}

    def is_held(
        self,
        digest: Digest,
        without: Iterable[Digest] = (),
        *,
        tags: Mapping[str, Digest] | None = None,
    ) -> bool:
        """Say whether a tag, an index or a subject needs a manifest, some of these left out.

        The tag that makes it a signature needs it as long as what it signs is there.
        """
        artifact = self.universe.by_digest[digest]
        tags = self.tags if tags is None else tags
        if any(tag != artifact.own_tag for tag, target in tags.items() if target == digest):
            return True
        subject = artifact.accompanies
        if subject in self.there.difference(without) and digest in self.around(subject):
            return True
        return bool(self.indexes_of(digest, without))

    def around(self, digest: Digest) -> Iterator[Digest]:
        """Yield what goes when a manifest is deleted, unless something else needs it."""
        yield from self.universe.by_digest[digest].children
        for one in self.universe.companions:
            if one.subject == digest or (
                one.signs == digest and self.tags.get(one.own_tag or "") == one.digest
            ):
                yield one.digest

    def indexes_of(self, digest: Digest, without: Iterable[Digest] = ()) -> Sequence[Digest]:
        """Return the indexes that name a manifest."""
        there = self.there.difference(without)
        return [
            index.digest
            for index in self.universe.indexes
            if digest in index.children and index.digest in there
        ]

    def _without_reason(self, doomed: set[Digest]) -> set[Digest]:
        follows = {one for digest in doomed for one in self.around(digest)}
        return (self.orphaned | follows) & self.there - doomed

    # Bookkeeping

    def _expose(self) -> None:
        """Doubt what the retentions under way may take of what is there by now."""
        for policy in self.runs.values():
            self.unsure_tags |= keeping.exposed_tags(self, policy)
            self.unsure |= keeping.exposed(self, policy)

    def _sure_tags(self) -> dict[str, Digest]:
        return {tag: one for tag, one in self.tags.items() if tag not in self.unsure_tags}

    def _is_there(self, digest: Digest) -> None:
        self.there.add(digest)
        self.gone.discard(digest)
        self.orphaned.discard(digest)
        self.unsure.discard(digest)

    def _forget(self, digest: Digest) -> None:
        for known in (self.there, self.orphaned, self.unsure):
            known.discard(digest)
        self.tags = {tag: target for tag, target in self.tags.items() if target != digest}
        self.unsure_tags &= set(self.tags)

    def _orphan(self, digest: Digest) -> None:
        for one in self.around(digest):
            if one in self.there:
                self.orphaned.add(one)
                self.unsure.discard(one)

    def _saved(self, doubtful: set[Digest], *, seen: set[Digest]) -> None:
        """Doubt what something saved, but for what was seen: a collection may have been by.

        What was seen is in doubt if its subject is: if that has gone already, nobody looks at it.
        """
        self.unsure -= seen
        self.unsure |= (doubtful & self.there) - seen - self.doomed()
        doubtful = self.there - self.certain() - seen
        self.unsure |= {
            digest for digest in seen if self.universe.by_digest[digest].accompanies in doubtful
        }

    def _lost_a_tag(self, digest: Digest | None) -> None:
        """Doubt what only its tag held: it depends on whether a collection looked meanwhile."""
        if digest in self.orphaned and not self.is_held(digest):
            self.unsure.add(digest)
