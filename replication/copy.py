"""Copy one artifact: its whole graph, children first, its referrers with it, its tags last.

The order in which a root becomes visible: blobs and children, the root under its digest, what
refers to it and to its children, then its tags. A tag at the destination so means that the artifact
is whole and that its signatures are there. Where nothing refers to the root, putting it under its
tag at once is enough. A `subject` is never followed upwards: it need not exist.
"""

from __future__ import annotations

from collections.abc import Sequence

from protocol.content import ContentSource, ContentStore, Foretelling, RawManifest
from protocol.descriptor import Descriptor
from protocol.errors import Denied, NotFound, Rejected, Unauthorized, Unsupported
from replication import companions, fanout
from replication.context import CopyContext
from replication.errors import Side, failing
from replication.nodes import NodeCopier
from replication.tally import Tally
from replication.transfer import Transfer, TransferReport

_TAGS_AT_ONCE = 4
_NO_LISTING = (NotFound, Denied, Rejected, Unauthorized, Unsupported)


async def copy_transfer(
    transfer: Transfer,
    *,
    source: ContentSource,
    destination: ContentStore,
    context: CopyContext,
    root: RawManifest | None = None,
) -> TransferReport:
    """Carry out a transfer and return what it moved.

    `root` is the source's manifest, if the caller has just read it.

    Raise CopyFailed when the artifact did not arrive whole: none of its tags was written then, and
    whatever `context.before_commit` raises. It may be repeated: what arrived is not moved again.
    """
    tally = Tally(transfer=transfer, listener=context.listener)
    context.listener.transfer_started(transfer)
    report = None
    try:
        await _ArtifactCopy(source, destination, context, tally, root).run()
        report = tally.report()
        return report
    finally:
        context.listener.transfer_ended(transfer, report)


class _ArtifactCopy:
    def __init__(
        self,
        source: ContentSource,
        destination: ContentStore,
        context: CopyContext,
        tally: Tally,
        root: RawManifest | None,
    ) -> None:
        self._source = source
        self._destination = destination
        self._context = context
        self._tally = tally
        self._transfer = tally.transfer
        self._nodes = NodeCopier(source, destination, context, tally)
        self._nodes.known = root

    async def run(self) -> None:
        """Copy whatever is missing."""
        standing, missing = await self._look()
        await self._want_tags(missing)
        if standing is None:
            await self._copy_root()
            return
        await self._nodes.visit(standing, depth=0)
        await self._bring_company()
        if missing:
            root = await self._nodes.load(self._transfer.digest, depth=0)
            for tag in missing:
                await self._nodes.put(root, tag=tag)

    async def _copy_root(self) -> None:
        root = await self._nodes.load(self._transfer.digest, depth=0)
        await self._nodes.fill(root)
        await self._nodes.bring_company()
        referrers = await self._nodes.referrers(root.raw.digest)
        beside = await self._companions()
        accompanied = referrers or any(
            companions.of(node, beside) for node in (*self._nodes.there, root.raw.digest)
        )
        if accompanied or not self._transfer.tags:
            await self._nodes.put(root)
            await self._nodes.bring_referrers(root.raw.digest, referrers, depth=0)
            await self._bring_companions(beside)
        for tag in self._transfer.tags:
            await self._nodes.put(root, tag=tag)

    async def _look(self) -> tuple[Descriptor | None, tuple[str, ...]]:
        """Return the root as it stands at the destination, and the tags that are not there yet."""
        transfer = self._transfer
        if transfer.fresh or self._context.force:
            return None, transfer.tags
        missing: list[str] = []
        standing: list[Descriptor] = []

        async def look(tag: str) -> None:
            found = await self._nodes.resolve_destination(tag)
            if found is not None and found.digest == transfer.digest:
                standing.append(found)
            else:
                missing.append(tag)

        await fanout.for_each(transfer.tags, look, at_once=_TAGS_AT_ONCE)
        if standing:
            return standing[0], tuple(missing)
        return await self._nodes.resolve_destination(str(transfer.digest)), tuple(missing)

    async def _want_tags(self, tags: Sequence[str]) -> None:
        """Raise CopyFailed, before a byte is moved, where a store knows that it refuses a tag."""
        destination = self._destination
        if not tags or not isinstance(destination, Foretelling):
            return
        name = f"{destination.repository}:{','.join(tags)}"
        with failing(Side.DESTINATION, "writing manifest", name):
            async with self._context.limits.destination:
                await destination.want_tags(self._transfer.digest, tags)

    async def _bring_company(self) -> None:
        """Bring what refers to a root that is there already, and its companions."""
        digest = self._transfer.digest
        referrers = await self._nodes.referrers(digest)
        await self._nodes.bring_referrers(digest, referrers, depth=0)
        await self._bring_companions(await self._companions())

    async def _companions(self) -> frozenset[str]:
        """Return the source repository's companion tags: as the plan saw them, or listed once."""
        if not self._context.referrers:
            return frozenset()
        if self._transfer.companions is not None:
            return frozenset(self._transfer.companions)
        repository = self._transfer.source_repository
        with failing(Side.SOURCE, "listing the tags of", repository):
            try:
                async with self._context.limits.source:
                    return await self._context.companions.list(self._source, repository)
            except _NO_LISTING as error:
                self._tally.omit(f"signatures kept under tags: {repository} lists none: {error}")
                return frozenset()

    async def _bring_companions(self, beside: frozenset[str]) -> None:
        """Bring the companions of every node, and theirs, until there are no more."""
        seen: set[str] = set()
        while beside:
            tags = {tag for node in self._nodes.there for tag in companions.of(node, beside)} - seen
            if not tags:
                return
            for tag in sorted(tags):
                await self._bring_companion(tag)
            seen |= tags

    async def _bring_companion(self, tag: str) -> None:
        name = f"{self._transfer.source_repository}:{tag}"
        with failing(Side.SOURCE, "looking up", name):
            async with self._context.limits.source:
                found = await self._source.resolve(tag)
        if not self._transfer.fresh and not self._context.force:
            standing = await self._nodes.resolve_destination(tag)
            if standing is not None and standing.digest == found.digest:
                await self._nodes.visit(standing, depth=1)
                await self._nodes.bring_company()
                return
        node = await self._nodes.load(found.digest, depth=1)
        await self._nodes.fill(node)
        await self._nodes.put(node, tag=tag)
        self._tally.referrers_copied += 1
        referrers = await self._nodes.referrers(found.digest)
        await self._nodes.bring_referrers(found.digest, referrers, depth=1)
