"""What a repository of this registry holds, as somebody may see it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeVar

from access import authorisation
from access.authorisation import Action
from access.identity import Principal
from database import pool
from protocol.content import RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest, is_digest
from protocol.errors import InvalidDigest, RegistryError, SizeMismatch
from registry import names
from registry.errors import refusal
from registry.means import Means
from registry.metadata import blobs, manifests, repositories, tags
from registry.metadata.blobs import Blob
from registry.metadata.manifests import Found, Referrer, Wanted
from registry.objects import Objects

PAGE: Final = 1000

Result = TypeVar("Result")
Find = Callable[[], Awaitable[Result | None]]


class RepositoryReader:
    """One repository, to read, for one principal.

    Methods raise the refusals of registry.errors; whoever may not is answered before anything else.
    """

    def __init__(self, means: Means, name: str, principal: Principal) -> None:
        """Raise a refusal NAME_INVALID."""
        self._database = means.database
        self._look_ups = means.look_ups
        self._name = name
        self._project = names.project_of(name)
        self._principal = principal
        self.objects = Objects(storage=means.storage, repository=name)

    @property
    def repository(self) -> str:
        """The repository's name."""
        return self._name

    async def require(self, action: Action) -> None:
        """Return if the principal may; raise a refusal UNAUTHORIZED, whether or not it is there."""
        if authorisation.may(self._principal, action, public=False):
            return
        async with self._database.connection() as connection:
            public = await repositories.project_is_public(connection, self._project)
        if not authorisation.may(self._principal, action, public=bool(public)):
            raise self._refuse(
                "UNAUTHORIZED", f"{action} of {self._name} needs other credentials", action
            )

    async def _look_up(
        self, find: Find[Result], reference: str | Digest, *, unknown: str
    ) -> Result:
        """Return what `reference` is here; raise a refusal `unknown`.

        The one step by which anybody comes to content: what a project that pulls through another
        registry does not have yet, it will ask for here.
        """
        await self.require(Action.PULL)
        found = await find()
        if found is None:
            raise self._refuse(unknown, f"{reference} is not in {self._name}", "read content")
        return found

    async def find_manifest(self, reference: str, *, with_body: bool) -> Found:
        """Return a manifest's row by tag or digest; `pieces` has its body."""

        async def find() -> Found | None:
            wanted = Wanted(self._name, self._reference(reference))
            return await self._look_ups.find(wanted, with_body=with_body)

        return await self._look_up(find, reference, unknown="MANIFEST_UNKNOWN")

    async def resolve(self, reference: str) -> Descriptor:
        """Return the descriptor of a tag or digest whose blobs are all here.

        One that lost blobs is unknown to whoever compares, so that replication brings them again.
        """
        found = await self.find_manifest(reference, with_body=False)
        async with self._database.connection() as connection:
            if await manifests.lost_blobs(connection, found):
                raise self._refuse(
                    "MANIFEST_UNKNOWN", f"blobs of {reference} are lost", "read content"
                )
        return Descriptor(
            media_type=found.media_type, digest=found.digest, size_bytes=found.size_bytes
        )

    async def read_manifest(self, reference: str) -> RawManifest:
        """Return the manifest, as it was pushed."""
        found = await self.find_manifest(reference, with_body=True)
        body = b"".join([piece async for piece in self.pieces(found)])
        return RawManifest(media_type=found.media_type, digest=found.digest, body=body)

    async def pieces(self, found: Found) -> AsyncIterator[bytes]:
        """Yield the body of a manifest that was found, a large one a piece at a time.

        Raise a refusal MANIFEST_UNKNOWN if it is deleted meanwhile.
        """
        offset_bytes = 0
        while offset_bytes < found.size_bytes:
            if found.body is None:
                async with self._database.connection() as connection:
                    piece = await manifests.piece(connection, found, offset_bytes=offset_bytes)
            else:
                piece = found.body
            if not piece:
                raise self._refuse(
                    "MANIFEST_UNKNOWN", f"{found.digest} was deleted meanwhile", "read content"
                )
            offset_bytes += len(piece)
            yield piece

    async def find_blob(self, digest: Digest, *, renew: bool = False) -> Blob:
        """Return a blob's row; `renew` keeps an unreferenced one for whoever is told of it."""

        async def find() -> Blob | None:
            async with self._database.connection() as connection:
                blob = await blobs.find(connection, self._name, digest)
                if blob is not None and blob.is_lost:
                    raise self._refuse(
                        "BLOB_UNKNOWN",
                        f"the bytes of {digest} are lost; push it again",
                        "read content",
                    )
                if blob is None or not (renew and blob.lease_is_short):
                    return blob
                return blob if await blobs.renew_lease(connection, blob) else None

        return await self._look_up(find, digest, unknown="BLOB_UNKNOWN")

    async def has_blob(self, blob: Descriptor) -> bool:
        """Say whether the blob is there; raise SizeMismatch if it is, with another size."""
        try:
            found = await self.find_blob(blob.digest, renew=True)
        except RegistryError as error:
            if error.faults[0].code == "BLOB_UNKNOWN":
                return False
            raise
        agree(blob.size_bytes, found.size_bytes)
        return True

    def read_blob(
        self, blob: Descriptor, *, offset_bytes: int = 0
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open a blob at an offset; raise SizeMismatch if it has another size than promised."""
        return self._read_blob(blob, offset_bytes)

    @contextlib.asynccontextmanager
    async def _read_blob(
        self, blob: Descriptor, offset_bytes: int
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        row = await self.find_blob(blob.digest)
        agree(blob.size_bytes, row.size_bytes)
        async with self.objects.open(row, blob.digest, offset_bytes=offset_bytes) as chunks:
            yield chunks

    async def referrers(self, subject: Digest) -> AsyncIterator[Descriptor]:
        """Yield what refers to `subject`."""
        after = 0
        while page := await self.referrers_page(subject, artifact_type=None, after=after):
            for referrer in page:
                yield referrer.descriptor
            after = page[-1].id

    async def referrers_page(
        self, subject: Digest, *, artifact_type: str | None, after: int, limit: int = 100
    ) -> Sequence[Referrer]:
        """Return a page of referrers, oldest first; empty for what is not there."""
        await self.require(Action.PULL)
        async with self._database.connection() as connection:
            return await manifests.referrers(
                connection,
                self._name,
                subject,
                artifact_type=artifact_type,
                after=after,
                limit=limit,
            )

    async def tags(self) -> AsyncIterator[Sequence[str]]:
        """Yield the tags page by page, in bytewise order."""
        after = ""
        while page := await self._tags_or_nothing(after):
            yield page
            after = page[-1]

    async def _tags_or_nothing(self, after: str) -> Sequence[str]:
        try:
            return await self.tags_page(after=after, limit=PAGE)
        except RegistryError as error:
            if error.faults[0].code == "NAME_UNKNOWN":
                return ()
            raise

    async def tags_page(self, *, after: str, limit: int) -> Sequence[str]:
        """Return the tags after `after`; raise a refusal NAME_UNKNOWN."""
        await self.require(Action.PULL)
        async with self._database.connection() as connection:
            page = await tags.page(connection, self._name, after=after, limit=limit)
        if page is None:
            raise self._unknown()
        return page

    async def tags_by_digest(
        self, *, after: str, limit: int
    ) -> tuple[Mapping[Digest, Sequence[str]], str | None]:
        """Return a page of tags grouped by what they point to, and where the next page begins."""
        await self.require(Action.PULL)
        async with self._database.connection() as connection:
            rows = await tags.page_with_digests(
                connection, await self._id(connection), after=after, limit=limit
            )
        grouped: dict[Digest, list[str]] = {}
        for name, digest in rows:
            grouped.setdefault(digest, []).append(name)
        return grouped, rows[-1][0] if len(rows) == limit else None

    def _reference(self, reference: str) -> str | Digest:
        if not is_digest(reference):
            names.check_tag(reference)
            return reference
        try:
            return Digest.parse(reference)
        except InvalidDigest as error:
            raise self._refuse("DIGEST_INVALID", str(error), "read manifest") from None

    async def _id(self, connection: pool.Connection) -> int:
        repository_id = await repositories.find(connection, self._name)
        if repository_id is None:
            raise self._unknown()
        return repository_id

    def _unknown(self) -> RegistryError:
        return self._refuse("NAME_UNKNOWN", f"repository {self._name} is not here", "list tags")

    def _refuse(self, code: str, message: str, operation: str) -> RegistryError:
        return refusal(code, message, operation=operation, repository=self._name)


def agree(expected_bytes: int, actual_bytes: int) -> None:
    """Raise SizeMismatch unless both are the same."""
    if expected_bytes != actual_bytes:
        raise SizeMismatch(expected_bytes=expected_bytes, actual_bytes=actual_bytes)
