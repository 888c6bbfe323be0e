"""Putting back what was deleted, as long as its bytes are kept.

A manifest comes back with all it needs: blobs from their tombstones, children before parents; then
what refers to it, and the tags whose names are free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from access import audit
from access.audit import Entry, Event
from database.pool import Connection, Database
from protocol.digest import Digest, is_digest
from protocol.errors import RegistryError
from registry import accepting, names
from registry.accepting import Push
from registry.collection.errors import BytesGone, NotDeleted, NotMissing, UndeleteError
from registry.contents import Contents
from registry.metadata import deleted, manifest_writes, manifests, repositories
from registry.metadata.deleted import DeletedManifest, Place
from registry.parsing import Parser


@dataclass(frozen=True, slots=True, kw_only=True)
class Undeleted:
    """What is back. `taken` are tags that lead elsewhere, `left` companions that cannot come."""

    digests: tuple[Digest, ...]
    tags: tuple[str, ...]
    taken: tuple[str, ...] = ()
    left: tuple[Digest, ...] = ()


async def undelete(database: Database, repository: str, reference: str, *, by: str) -> Undeleted:
    """Put back a manifest by its digest, or by a tag that was deleted; raise UndeleteError."""
    parser = Parser()

    async def work(connection: Connection) -> Undeleted:
        repository_id = await repositories.ensure(
            connection, project=names.project_of(repository), name=repository
        )
        if repository_id is None:
            raise NotDeleted(f"the project of {repository} is gone, and all its content with it")
        place = Place(repository_id=repository_id, repository=repository, by=by)
        back = await _Undeletion(connection, place, parser).run(reference)
        entry = Entry(
            event=Event.UNDELETE_ARTIFACT,
            resource=f"{repository}:{reference}",
            details={"digests": [str(one) for one in back.digests], "tags": list(back.tags)},
        )
        await audit.record(connection, entry)
        return back

    return await database.run(work)


@dataclass(slots=True)
class _Back:
    """What is back: each digest with when it went, and tags."""

    since: dict[Digest, datetime] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)

    def add(self, other: _Back) -> None:
        """Take what else is back."""
        self.since |= other.since
        self.tags += other.tags
        self.taken += other.taken


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """A deleted manifest, and what it needs."""

    deleted: DeletedManifest
    contents: Contents

    @property
    def named(self) -> list[Digest]:
        """The manifests that it names, and what may be either manifest or blob."""
        return [digest for digest, _ in (*self.contents.children, *self.contents.others)]


class _Undeletion:
    """One undeletion, within its transaction."""

    def __init__(self, connection: Connection, place: Place, parser: Parser) -> None:
        self._connection = connection
        self._place = place
        self._parser = parser

    async def run(self, reference: str) -> Undeleted:
        """Put back what `reference` led to, then what refers to it."""
        tags = () if is_digest(reference) else (reference,)
        if is_digest(reference):
            target = Digest.parse(reference)
            if await self._are_here([target]):
                raise NotMissing(f"{target} is in {self._place.repository}")
        else:
            target = await self._target(reference)
            if await self._are_here([target]):
                return await self._tag(reference, target)
        back, left = await self._tree(target, tags), []
        waiting = list(back.since)
        while waiting:
            subject = waiting.pop()
            since = back.since[subject]
            for companion in await self._companions(subject, since):
                try:
                    async with self._connection.transaction():
                        found = await self._tree(companion, ())
                except UndeleteError:
                    left.append(companion)
                else:
                    back.add(found)
                    waiting.extend(found.since)
        return Undeleted(
            digests=tuple(back.since),
            tags=tuple(back.tags),
            taken=tuple(back.taken),
            left=tuple(left),
        )

    async def _target(self, tag: str) -> Digest:
        """Return what a tag led to that is not there; raise NotMissing or NotDeleted."""
        found = await manifests.find(self._connection, self._place.repository, tag, with_body=False)
        target = await deleted.tag_target(self._connection, self._place.repository, tag)
        if found is not None:
            before = f": name {target} to have that beside it" if target is not None else ""
            raise NotMissing(f"tag {tag} leads to {found.digest} now{before}")
        if target is None:
            raise NotDeleted(f"tag {tag} of {self._place.repository} was not deleted lately")
        return target

    async def _tag(self, tag: str, target: Digest) -> Undeleted:
        if not await deleted.restore_tag(self._connection, self._place, tag, target):
            raise NotMissing(f"tag {tag} leads elsewhere since this moment")
        return Undeleted(digests=(), tags=(tag,))

    async def _companions(self, subject: Digest, since: datetime) -> Sequence[Digest]:
        found = await deleted.companions(
            self._connection, self._place.repository, subject, since=since
        )
        here = await self._are_here(found)
        return [digest for digest in found if digest not in here]

    async def _are_here(self, wanted: Sequence[Digest]) -> frozenset[Digest]:
        """Return those of the manifests that are here, and stay."""
        return frozenset(
            await manifest_writes.lock_children(self._connection, self._place.repository_id, wanted)
        )

    async def _tree(self, root: Digest, tags: Sequence[str]) -> _Back:
        """Put back a manifest after all it names; raise NotDeleted or BytesGone."""
        back = _Back()
        path = [await self._node(root)]
        while path:
            node = path[-1]
            here = await self._are_here(node.named)
            for digest in node.named:
                if digest not in here and (child := await self._child(digest, node)) is not None:
                    path.append(child)
                    break
            else:
                await self._write(path.pop(), tags if not path else (), back)
        return back

    async def _node(self, digest: Digest) -> _Node:
        found = await deleted.manifest(self._connection, self._place.repository, digest)
        if found is None:
            raise NotDeleted(f"{digest} was not deleted lately from {self._place.repository}")
        return _Node(deleted=found, contents=await self._parser.read(found.raw))

    async def _child(self, digest: Digest, parent: _Node) -> _Node | None:
        """Return what a manifest names and is not here; None if that is no manifest."""
        try:
            return await self._node(digest)
        except NotDeleted:
            if digest not in dict(parent.contents.children):
                return None
            raise BytesGone(
                f"{parent.deleted.raw.digest} is released: {digest}, which it names, is gone",
                missing=(str(digest),),
            ) from None

    async def _write(self, node: _Node, tags: Sequence[str], back: _Back) -> None:
        wanted = [digest for digest, _ in (*node.contents.blobs, *node.contents.others)]
        await deleted.revive_blobs(self._connection, self._place.repository_id, wanted)
        digest = node.deleted.raw.digest
        try:
            await accepting.accept(
                self._connection,
                node.contents,
                node.deleted.raw.body,
                repository=(self._place.repository_id, self._place.repository),
                push=Push(tags=(), by=self._place.by, is_told=False),
            )
        except RegistryError as error:
            missing = tuple(fault.message.partition(" ")[0] for fault in error.faults)
            raise BytesGone(
                f"{digest} is released: bytes that it needs are gone for good,"
                f" {', '.join(missing)}",
                missing=missing,
            ) from error
        names_wanted = {*node.deleted.tags, *tags}
        tagged = await deleted.restore(
            self._connection, self._place, node.deleted, tags=sorted(names_wanted)
        )
        back.since[digest] = node.deleted.deleted_at
        back.tags.extend(tagged)
        back.taken.extend(sorted(names_wanted.difference(tagged)))
