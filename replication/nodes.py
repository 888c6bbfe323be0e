"""Bring one manifest to the destination: its parts, itself, and what refers to it.

Every part of a graph is copied once, however many parents it has. Manifests name their children by
digest and their bytes are verified, so a graph has no circles; its depth is limited all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from protocol import fence, manifest, media_types
from protocol.content import ContentSource, ContentStore, RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.errors import Denied, NotFound, RegistryError, Rejected, Unsupported
from protocol.manifest import Image, Index
from replication import fanout, graph
from replication.blobs import BlobCopier
from replication.context import CopyContext
from replication.errors import CopyFailed, Side, failing
from replication.tally import Tally
from replication.turns import Turns

_CHILDREN_AT_ONCE = 4
_LACKING = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A manifest of the graph, read from the source; the root has depth 0."""

    raw: RawManifest
    document: Image | Index
    depth: int


class NodeCopier:
    """Copies the nodes of one transfer's graph."""

    def __init__(
        self, source: ContentSource, destination: ContentStore, context: CopyContext, tally: Tally
    ) -> None:
        self._source = source
        self._destination = destination
        self._context = context
        self._tally = tally
        self._blobs = BlobCopier(source, destination, context, tally)
        self._turns = Turns()
        self._unattended: list[tuple[Digest, int]] = []
        self.there: dict[Digest, None] = {}
        self.known: RawManifest | None = None

    async def load(self, digest: Digest, *, depth: int) -> Node:
        """Read a manifest from the source; raise CopyFailed, also where it is nested too deep."""
        name = self._name(digest)
        if depth > graph.DEPTH_LIMIT:
            raise CopyFailed(
                side=Side.SOURCE,
                operation="reading manifest",
                reference=name,
                cause=f"it is nested deeper than {graph.DEPTH_LIMIT} levels",
            )
        with failing(Side.SOURCE, "reading manifest", name):
            raw = await self._read(digest)
            digest.verify(raw.body)
            document = manifest.parse(raw)
        raw = replace(raw, digest=digest, media_type=document.media_type)
        return Node(raw=raw, document=document, depth=depth)

    async def _read(self, digest: Digest) -> RawManifest:
        if self.known is not None and self.known.digest == digest:
            return self.known
        async with self._context.limits.source:
            return await self._source.read_manifest(str(digest))

    async def fill(self, node: Node, *, anew: bool = False) -> None:
        """Bring everything a manifest refers to; `anew` trusts nothing that was known of it."""
        parts = graph.parts(node.document)
        for layer in parts.foreign:
            self._tally.omit(f"foreign layer {layer.digest}: registries do not hold its bytes")
        if anew:
            for blob in parts.blobs:
                self._blobs.forget(blob)
        await fanout.for_each(parts.blobs, self._blobs.copy, at_once=self._context.blobs_at_once)
        depth = node.depth + 1
        at_once = 1 if node.depth else _CHILDREN_AT_ONCE
        child = partial(self._child, depth=depth, anew=anew)
        await fanout.for_each(parts.manifests, child, at_once=at_once)
        either = partial(self._either, depth=depth, anew=anew)
        await fanout.for_each(parts.unknown, either, at_once=at_once)

    async def put(self, node: Node, *, tag: str | None = None) -> None:
        """Write a manifest, under a tag if given. One refusal for lack of content is healed."""
        try:
            await self._write(node, tag)
        except CopyFailed as error:
            if not _lacks_content(error):
                raise
            await self.fill(node, anew=True)
            await self._write(node, tag)

    async def bring(
        self,
        descriptor: Descriptor,
        *,
        depth: int,
        subject: Digest | None = None,
        present: bool = False,
        anew: bool = False,
    ) -> bool:
        """Bring a manifest with all its parts; return whether it was written.

        `present` says that its parent stands at the destination, so it does too. With `subject` it
        is brought only if it refers to that. What refers to it waits for `bring_company`.
        """
        digest = descriptor.digest
        async with self._turns.turn(digest):
            if digest in self.there and not anew:
                return False
            if not anew and (present or await self.stands(digest)):
                await self.visit(descriptor, depth=depth)
                written = False
            else:
                written = await self._bring_new(digest, depth=depth, subject=subject, anew=anew)
        if digest in self.there:
            self._unattended.append((digest, depth))
        return written

    async def visit(self, descriptor: Descriptor, *, depth: int) -> None:
        """Count a node that stands at the destination; its children may have new referrers."""
        self._tally.manifests_skipped += 1
        self.there[descriptor.digest] = None
        if self._context.referrers and descriptor.media_type in media_types.INDEXES:
            node = await self.load(descriptor.digest, depth=depth)
            for child in graph.parts(node.document).manifests:
                await self.bring(child, depth=depth + 1, present=True)

    async def stands(self, digest: Digest) -> bool:
        """Say whether the destination has a manifest; what cannot be there is not asked for."""
        if self._tally.transfer.fresh or self._context.force:
            return False
        return await self.resolve_destination(str(digest)) is not None

    async def resolve_destination(self, reference: str) -> Descriptor | None:
        """Return what stands at the destination under a tag or digest."""
        name = f"{self._destination.repository} {reference}"
        with failing(Side.DESTINATION, "looking up", name):
            async with self._context.limits.destination:
                try:
                    return await self._destination.resolve(reference)
                except (NotFound, Denied):  # 403 stands for absent at some (Artifactory)
                    return None

    async def referrers(self, subject: Digest) -> tuple[Descriptor, ...]:
        """Return what the source knows to refer to a manifest; nothing if referrers stay behind."""
        if not self._context.referrers:
            return ()
        with failing(Side.SOURCE, "listing the referrers of", self._name(subject)):
            async with self._context.limits.source:
                return tuple([found async for found in self._source.referrers(subject)])

    async def bring_company(self) -> None:
        """Bring what refers to the nodes brought so far, and to that, until there is no more.

        Not before their parents are whole: a referrer may be an index that names one of those, and
        would wait for it for ever.
        """
        while self._unattended:
            nodes, self._unattended = self._unattended, []
            await fanout.for_each(nodes, self._attend, at_once=_CHILDREN_AT_ONCE)

    async def _attend(self, node: tuple[Digest, int]) -> None:
        digest, depth = node
        await self._bring_each(digest, await self.referrers(digest), depth)

    async def bring_referrers(
        self, subject: Digest, found: tuple[Descriptor, ...], *, depth: int
    ) -> None:
        """Bring the referrers of a node, and what refers to them."""
        await self._bring_each(subject, found, depth)
        await self.bring_company()

    async def _bring_each(self, subject: Digest, found: tuple[Descriptor, ...], depth: int) -> None:
        """Bring referrers one after the other: where a tag lists them, each writes that tag."""
        for referrer in found:
            try:
                if await self.bring(referrer, depth=depth + 1, subject=subject):
                    self._tally.referrers_copied += 1
            except CopyFailed as error:
                if not _is_refusal(error):
                    raise
                self._tally.omit(f"referrer {referrer.digest} of {subject}: {error}")

    async def _bring_new(
        self, digest: Digest, *, depth: int, subject: Digest | None, anew: bool
    ) -> bool:
        node = await self.load(digest, depth=depth)
        if subject is not None and not _refers_to(node.document, subject):
            self._tally.omit(
                f"{digest}, listed as a referrer of {subject}: it does not refer to it"
            )
            return False
        await self.fill(node, anew=anew)
        await self.put(node)
        return True

    async def _child(self, child: Descriptor, *, depth: int, anew: bool) -> None:
        await self.bring(child, depth=depth, anew=anew)

    async def _either(self, entry: Descriptor, *, depth: int, anew: bool) -> None:
        """Bring an index entry of unknown type: a manifest if the source says so, else a blob."""
        with failing(Side.SOURCE, "looking up", self._name(entry.digest)):
            async with self._context.limits.source:
                try:
                    await self._source.resolve(str(entry.digest))
                except (NotFound, Rejected, Unsupported):
                    is_manifest = False
                else:
                    is_manifest = True
        if is_manifest:
            await self.bring(entry, depth=depth, anew=anew)
            return
        if anew:
            self._blobs.forget(entry)
        await self._blobs.copy(entry)

    async def _write(self, node: Node, tag: str | None) -> None:
        digest = node.raw.digest
        name = f"{self._destination.repository}{f':{tag}' if tag else f'@{digest}'}"
        with failing(Side.DESTINATION, "writing manifest", name):
            async with self._context.limits.destination:
                await self._context.before_commit()
                with fence.fenced(self._context.before_commit):
                    await self._destination.write_manifest(node.raw, tag=tag)
        self._tally.written(name, manifest=digest not in self.there, tag=tag is not None)
        self.there[digest] = None

    def _name(self, digest: Digest) -> str:
        return f"{self._tally.transfer.source_repository}@{digest}"


def _refers_to(document: Image | Index, subject: Digest) -> bool:
    return document.subject is not None and document.subject.digest == subject


def _lacks_content(error: CopyFailed) -> bool:
    return isinstance(error.cause, RegistryError) and any(
        fault.code in _LACKING for fault in error.cause.faults
    )


def _is_refusal(error: CopyFailed) -> bool:
    """Say whether the destination refused a manifest itself: it cannot be attached there."""
    return (
        error.side is Side.DESTINATION
        and error.operation == "writing manifest"
        and isinstance(error.cause, NotFound | Rejected | Unsupported)
    )
