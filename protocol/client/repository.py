"""A repository of a remote registry, as a content store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import quote

from protocol import referrers as schema
from protocol.client import paging
from protocol.client.downloads import Download
from protocol.client.exchange import Call, Exchange, Reply
from protocol.client.manifests import Manifests
from protocol.client.memory import Ability, Memory
from protocol.client.paths import Paths
from protocol.client.referrers import Referrers
from protocol.client.uploads import RemoteUpload
from protocol.content import BlobUpload, Capabilities, RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Algorithm, Digest
from protocol.errors import (
    Denied,
    NotFound,
    RateLimited,
    RegistryError,
    SizeMismatch,
    Unauthorized,
    Unavailable,
)

_CREATED = 201
_OPENED = frozenset({_CREATED, 202})
_CAPABILITIES = Capabilities(
    mounts=True, mounts_across_repositories=True, deletes_tags=True, deletes_manifests=True
)


class RemoteRepository:
    """Implements protocol.content.ContentStore by the OCI Distribution API."""

    def __init__(
        self,
        exchange: Exchange,
        memory: Memory,
        name: str,
        *,
        writes: bool = False,
        chunked: bool = False,
    ) -> None:
        self._exchange = exchange
        self._memory = memory
        self._paths = Paths(name, writes=writes)
        self._chunked = chunked
        self._manifests = Manifests(exchange, self._paths)
        self._referrers = Referrers(exchange, self._paths, self._manifests, memory)

    @property
    def repository(self) -> str:
        """The repository's name."""
        return self._paths.name

    @property
    def capabilities(self) -> Capabilities:
        """What any conformant registry may be asked; refusals are Unsupported."""
        return _CAPABILITIES

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the registry said in `Warning` headers, each text once."""
        return tuple(self._exchange.warnings)

    async def resolve(self, reference: str) -> Descriptor:
        """Return the descriptor of a tag or digest; raise NotFound."""
        return await self._manifests.resolve(reference)

    async def read_manifest(self, reference: str) -> RawManifest:
        """Return a manifest, verified; raise NotFound, ContentError, InvalidManifest."""
        return await self._manifests.read(reference)

    @asynccontextmanager
    async def read_blob(
        self, blob: Descriptor, *, offset_bytes: int = 0
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a blob; a cut connection is resumed inside, the length is checked."""
        download = Download(self._exchange, self._paths, blob, offset_bytes)
        await download.open()
        try:
            yield download.chunks()
        finally:
            download.close()

    def referrers(
        self, subject: Digest, *, artifact_type: str | None = None
    ) -> AsyncIterator[Descriptor]:
        """Yield what refers to `subject`, each once, by API and fallback tag."""
        return self._referrers.of(subject, artifact_type=artifact_type)

    async def tags(self) -> AsyncIterator[Sequence[str]]:
        """Yield the tags page by page; nothing for a repository that is not there."""
        companions = False
        try:
            async for names in paging.walk(self.tags_page):
                companions = companions or any(map(schema.is_fallback_tag, names))
                yield names
        except NotFound:
            return
        self._memory.note(Ability.FALLBACK_TAGS, self.repository, answer=companions)

    async def tags_page(self, cursor: str | None = None) -> paging.Page:
        """Return one page of tags; raise NotFound for a repository that is not there."""
        call = Call(
            operation="list tags",
            method="GET",
            url=self._exchange.url(f"{self._paths.root}/tags/list?n={paging.PAGE_SIZE}"),
            kind="tags",
            scope=self._paths.pull,
        )
        return await paging.page(self._exchange, call, "tags", cursor)

    async def has_blob(self, blob: Descriptor) -> bool:
        """Say whether a blob is there; 403 counts as no (Artifactory says it of what is absent)."""
        call = Call(
            operation="find blob",
            method="HEAD",
            url=self._exchange.url(self._paths.blob(blob.digest)),
            kind="blob",
            scope=self._paths.pull,
        )
        try:
            reply = await self._exchange.read(call)
        except (NotFound, Denied):
            return False
        length = reply.headers.get("Content-Length", "")
        if length.isdigit() and int(length) != blob.size_bytes:
            raise SizeMismatch(expected_bytes=blob.size_bytes, actual_bytes=int(length))
        return True

    async def begin_blob(
        self, blob: Descriptor, *, mount_from: str | None = None
    ) -> BlobUpload | None:
        """Open an upload, with a mount in the same request where `mount_from` is given."""
        query = []
        if blob.digest.algorithm is not Algorithm.SHA256:
            query.append(f"digest-algorithm={blob.digest.algorithm}")
        reply = None
        if mount_from is not None and self._memory.recall(Ability.MOUNT) is not False:
            reply = await self._mount(blob, mount_from, query)
        if reply is None:
            reply = await self._open_upload(query, self._paths.push)
        if reply.status == _CREATED:
            return None
        return RemoteUpload(
            self._exchange, self._paths, self._memory, blob, reply, chunked=self._chunked
        )

    async def write_manifest(self, manifest: RawManifest, *, tag: str | None = None) -> None:
        """Put a manifest's exact bytes; list it under its subject where the registry does not."""
        headers = await self._manifests.write(manifest, tag or str(manifest.digest))
        await self._referrers.record(manifest, headers.get("OCI-Subject"))

    async def delete_manifest(self, digest: Digest) -> None:
        """Delete a manifest and its tags; raise NotFound, Unsupported.

        Where the registry keeps no list of referrers itself, the fallback list is kept true.
        """
        listed_by_tag = self._memory.recall(Ability.REFERRERS, self.repository) is False
        manifest = await self._manifests.read(str(digest)) if listed_by_tag else None
        await self._manifests.delete(digest)
        if manifest is not None:
            await self._referrers.strike(manifest)

    async def delete_tag(self, tag: str) -> None:
        """Delete one tag; raise NotFound, Unsupported."""
        await self._manifests.delete_tag(tag)

    async def _mount(self, blob: Descriptor, source: str, query: list[str]) -> Reply | None:
        """Ask for a mount; None when the registry cannot even be asked (ggcr #1404, #1679)."""
        scope = self._paths.push | Paths(source).pull
        asked = [f"mount={blob.digest}", f"from={quote(source, safe='')}", *query]
        try:
            return await self._open_upload(asked, scope, repeatable=False)
        except RateLimited:
            raise
        except RegistryError as error:
            reply = await self._open_upload(query, self._paths.push)
            if not isinstance(error, Unauthorized | Denied | NotFound):
                self._memory.note(Ability.MOUNT, answer=False)
            return reply

    async def _open_upload(
        self, query: list[str], scope: frozenset[str], *, repeatable: bool = True
    ) -> Reply:
        path = self._paths.uploads()
        call = Call(
            operation="open upload",
            method="POST",
            url=self._exchange.url(f"{path}?{'&'.join(query)}" if query else path),
            kind="upload",
            scope=scope,
            headers={"Content-Length": "0"},
            expected=_OPENED,
            repeatable=repeatable,
        )
        reply = await self._exchange.read(call)
        if reply.status != _CREATED and "Location" not in reply.headers:
            raise Unavailable(
                "an upload was opened without a Location",
                operation=call.operation,
                url=str(call.url.with_query(None)),
                status=reply.status,
            )
        return reply
