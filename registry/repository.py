"""One repository of this registry, as somebody may use it: protocol.content.ContentStore.

The /v2/ handlers and the adapter `local` come through here, so limits and events always apply.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

from access import authorisation
from access.authorisation import Action
from access.identity import SYSTEM, Principal
from database import pool
from database.pool import Database
from protocol.content import Capabilities, RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Algorithm, Digest, is_digest
from protocol.errors import InvalidDigest, RegistryError, SizeMismatch
from registry import accepting, contents, names
from registry.contents import Contents
from registry.errors import ObjectMissing, refusal
from registry.local_upload import LocalUpload
from registry.metadata import blobs, manifests, repositories, tags, uploads
from registry.metadata.blobs import Blob
from registry.metadata.manifests import Found, Referrer
from registry.storage.driver import Storage
from registry.uploads import UploadStore

PAGE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """How an upload begins: hints, all optional. `mount_bytes`: how large the blob has to be."""

    mount: Digest | None = None
    mount_from: str | None = None
    mount_bytes: int | None = None
    algorithm: Algorithm = Algorithm.SHA256


class LocalRepository:
    """Content of one repository, to read and to write, for one principal.

    Methods raise the refusals of registry.errors; whoever may not is answered before anything else.
    """

    def __init__(
        self, database: Database, storage: Storage, name: str, principal: Principal
    ) -> None:
        """Raise a refusal NAME_INVALID."""
        self._database = database
        self._storage = storage
        self._name = name
        self._project = names.project_of(name)
        self._principal = principal
        self.uploads = UploadStore(database=database, storage=storage, repository=name)

    @property
    def repository(self) -> str:
        """The repository's name."""
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        """All of it."""
        return Capabilities(
            mounts=True,
            mounts_across_repositories=True,
            deletes_tags=True,
            deletes_manifests=True,
        )

    # Who may

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

    # Reading

    async def find_manifest(self, reference: str, *, with_body: bool) -> Found:
        """Return a manifest's row by tag or digest; it counts as use of it."""
        await self.require(Action.PULL)
        wanted = self._reference(reference)
        async with self._database.connection() as connection:
            found = await manifests.find(connection, self._name, wanted, with_body=with_body)
            if found is None:
                raise self._refuse(
                    "MANIFEST_UNKNOWN", f"{reference} is not in {self._name}", "read manifest"
                )
            if found.use_is_old and self._principal != SYSTEM:
                tag = wanted if isinstance(wanted, str) else None
                await manifests.note_use(connection, found, tag=tag)
        return found

    async def resolve(self, reference: str) -> Descriptor:
        """Return the descriptor of a tag or digest."""
        found = await self.find_manifest(reference, with_body=False)
        return Descriptor(
            media_type=found.media_type, digest=found.digest, size_bytes=found.size_bytes
        )

    async def read_manifest(self, reference: str) -> RawManifest:
        """Return the manifest, as it was pushed."""
        found = await self.find_manifest(reference, with_body=True)
        return RawManifest(media_type=found.media_type, digest=found.digest, body=found.body or b"")

    async def find_blob(self, digest: Digest, *, renew: bool = False) -> Blob:
        """Return a blob's row; `renew` keeps an unreferenced one for whoever is told of it."""
        await self.require(Action.PULL)
        async with self._database.connection() as connection:
            blob = await blobs.find(connection, self._name, digest)
            if blob is None:
                raise self._refuse("BLOB_UNKNOWN", f"{digest} is not in {self._name}", "read blob")
            if renew and blob.lease_is_short:
                await blobs.renew_lease(connection, blob)
        return blob

    async def has_blob(self, blob: Descriptor) -> bool:
        """Say whether the blob is there; raise SizeMismatch if it is, with another size."""
        try:
            found = await self.find_blob(blob.digest, renew=True)
        except RegistryError as error:
            if error.faults[0].code == "BLOB_UNKNOWN":
                return False
            raise
        _agree(blob.size_bytes, found.size_bytes)
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
        _agree(blob.size_bytes, row.size_bytes)
        try:
            async with self._storage.read(row.storage_key, offset_bytes=offset_bytes) as chunks:
                yield chunks
        except ObjectMissing as error:
            raise self.lost(blob.digest) from error

    def lost(self, digest: Digest) -> RegistryError:
        """Return the refusal of a blob whose object is not in the storage."""
        return self._refuse(
            "UNAVAILABLE",
            f"{digest} of {self._name} is recorded and its bytes are not in the storage: restore"
            " the storage, or look at what it is mounted from",
            "read blob",
        )

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
            return await tags.page(connection, await self._id(connection), after=after, limit=limit)

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

    # Writing

    async def begin_upload(self, beginning: Beginning) -> uuid.UUID | None:
        """Open an upload; None when the blob to mount is in this repository now.

        Raise a refusal NAME_UNKNOWN with the command that makes the project.
        """
        await self.require(Action.PUSH)
        upload = uploads.Upload(
            id=uuid.uuid4(),
            storage_key=uuid.uuid4(),
            offset_bytes=0,
            algorithm=beginning.algorithm,
            hash_state=None,
        )
        async with self._database.connection() as connection:
            if beginning.mount is not None and await self._mount(connection, beginning):
                return None
            if await uploads.begin(connection, upload, repository=self._name):
                return upload.id
            await self._ensure(connection)
            await uploads.begin(connection, upload, repository=self._name)
        return upload.id

    async def _mount(self, connection: pool.Connection, beginning: Beginning) -> bool:
        """Link a blob from a repository that the principal may read; sysadmins may read all."""
        source = beginning.mount_from
        if not self._principal.is_sysadmin:
            if source is None:
                return False
            public = await repositories.project_is_public(connection, source.partition("/")[0])
            if not authorisation.may(self._principal, Action.PULL, public=bool(public)):
                return False
        repository_id = await self._ensure(connection)
        assert beginning.mount is not None  # noqa: S101 the caller has looked
        found = await blobs.mount(connection, repository_id, beginning.mount, source=source)
        if found is not None and beginning.mount_bytes is not None:
            _agree(beginning.mount_bytes, found)
        return found is not None

    async def begin_blob(
        self, blob: Descriptor, *, mount_from: str | None = None
    ) -> LocalUpload | None:
        """Open an upload; None when the blob is there, here or in another repository.

        Raise SizeMismatch if it is there with another size than promised.
        """
        del mount_from  # whoever may read all mounts from wherever it is
        upload_id = await self.begin_upload(
            Beginning(
                mount=blob.digest, mount_bytes=blob.size_bytes, algorithm=blob.digest.algorithm
            )
        )
        return LocalUpload(self.uploads, upload_id, blob) if upload_id else None

    async def write_manifest(self, manifest: RawManifest, *, tag: str | None = None) -> None:
        """Put a manifest, and a tag that points to it."""
        await self.put_manifest(manifest, tags=[tag] if tag is not None else [])

    async def put_manifest(self, manifest: RawManifest, *, tags: Sequence[str]) -> Contents:
        """Put a manifest and its tags, all or nothing; return what it says of itself.

        Raise DigestMismatch, InvalidManifest, ManifestTooLarge, or a refusal
        MANIFEST_BLOB_UNKNOWN that names everything missing.
        """
        await self.require(Action.PUSH)
        manifest.digest.verify(manifest.body)
        for tag in tags:
            names.check_tag(tag)
        accepted = contents.read(manifest)

        async def work(connection: pool.Connection) -> None:
            await accepting.accept(
                connection,
                accepted,
                manifest.body,
                repository=(await self._ensure(connection), self._name),
                tags=tags,
                pushed_by=self._principal.username,
            )

        await self._database.run(work)
        return accepted

    # Deleting

    async def delete_manifest(self, digest: Digest) -> None:
        """Remove a manifest and its tags; raise a refusal UNSUPPORTED while an index names it."""
        await self.require(Action.DELETE)

        async def work(connection: pool.Connection) -> bool:
            return await manifests.delete(connection, self._name, digest)

        try:
            deleted = await self._database.run(work)
        except pool.REFERENCE_VIOLATIONS:
            raise await self._still_named(digest) from None
        if not deleted:
            raise self._refuse(
                "MANIFEST_UNKNOWN", f"{digest} is not in {self._name}", "delete manifest"
            )

    async def _still_named(self, digest: Digest) -> RegistryError:
        async with self._database.connection() as connection:
            parents = await manifests.parents(connection, self._name, digest)
        listed = ", ".join(map(str, parents))
        return self._refuse(
            "UNSUPPORTED", f"{digest} is part of {listed}; delete that first", "delete manifest"
        )

    async def delete_tag(self, tag: str) -> None:
        """Remove a tag and nothing else."""
        await self.require(Action.DELETE)
        names.check_tag(tag)
        async with self._database.connection() as connection:
            deleted = await tags.delete(connection, self._name, tag)
        if not deleted:
            raise self._refuse(
                "MANIFEST_UNKNOWN", f"tag {tag} is not in {self._name}", "delete tag"
            )

    async def delete_blob(self, digest: Digest) -> None:
        """Take a blob from this repository; raise a refusal UNSUPPORTED while it is needed."""
        await self.require(Action.DELETE)
        try:
            async with self._database.connection() as connection:
                deleted = await blobs.unlink(connection, self._name, digest)
        except pool.REFERENCE_VIOLATIONS:
            raise self._refuse(
                "UNSUPPORTED",
                f"{digest} is part of a manifest; delete that first",
                "delete blob",
            ) from None
        if not deleted:
            raise self._refuse("BLOB_UNKNOWN", f"{digest} is not in {self._name}", "delete blob")

    # Small print

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
            raise self._refuse("NAME_UNKNOWN", f"repository {self._name} is not here", "list tags")
        return repository_id

    async def _ensure(self, connection: pool.Connection) -> int:
        repository_id = await repositories.ensure(
            connection, project=self._project, name=self._name
        )
        if repository_id is None:
            raise names.project_unknown(self._project, self._name)
        return repository_id

    def _refuse(self, code: str, message: str, operation: str) -> RegistryError:
        return refusal(code, message, operation=operation, repository=self._name)


def _agree(expected_bytes: int, actual_bytes: int) -> None:
    if expected_bytes != actual_bytes:
        raise SizeMismatch(expected_bytes=expected_bytes, actual_bytes=actual_bytes)
