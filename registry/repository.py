"""One repository of this registry, as somebody may use it: protocol.content.ContentStore.

The /v2/ handlers and the adapter `local` come through here, so limits and events always apply.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from access import authorisation
from access.authorisation import Action
from access.identity import Principal
from database import pool
from protocol.content import Capabilities, RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Algorithm, Digest
from protocol.errors import RegistryError
from registry import accepting, immutability, names, reader
from registry.accepting import Push
from registry.contents import Contents
from registry.immutability import ImmutableRule
from registry.local_upload import LocalUpload
from registry.means import Means
from registry.metadata import blobs, immutable_rules, manifests, repositories, tags, uploads
from registry.metadata.immutable_rules import Bound
from registry.reader import RepositoryReader
from registry.uploads import UploadStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """How an upload begins: hints, all optional. `mount_bytes`: how large the blob has to be."""

    mount: Digest | None = None
    mount_from: str | None = None
    mount_bytes: int | None = None
    algorithm: Algorithm = Algorithm.SHA256


class LocalRepository(RepositoryReader):
    """Content of one repository, to read and to write, for one principal."""

    def __init__(self, means: Means, name: str, principal: Principal) -> None:
        """Raise a refusal NAME_INVALID."""
        super().__init__(means, name, principal)
        self._parser = means.parser
        self._admission = means.admission
        self.uploads = UploadStore(
            database=means.database,
            storage=means.storage,
            repository=name,
            admission=means.admission,
        )

    @property
    def capabilities(self) -> Capabilities:
        """All of it."""
        return Capabilities(
            mounts=True,
            mounts_across_repositories=True,
            deletes_tags=True,
            deletes_manifests=True,
        )

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
        )
        await self._admission.want_change("begin upload", self._name)
        if beginning.mount is not None:
            async with self._database.connection() as connection:
                if await self._mount(connection, beginning):
                    return None
        await self._admission.want_bytes("begin upload", self._name)
        async with self._database.connection() as connection:
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
            reader.agree(beginning.mount_bytes, found)
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

    async def put_manifest(
        self, manifest: RawManifest, *, tags: Sequence[str], is_told: bool = True
    ) -> Contents:
        """Put a manifest and its tags, all or nothing; return what it says of itself.

        Others hear of it as of a push, unless it is not `is_told`.
        Raise DigestMismatch, InvalidManifest, ManifestTooLarge, ImmutableTag, or a refusal
        MANIFEST_BLOB_UNKNOWN that names everything missing.
        """
        await self.require(Action.PUSH)
        await self._admission.want_change("push manifest", self._name)
        manifest.digest.verify(manifest.body)
        for tag in tags:
            names.check_tag(tag)
        accepted = await self._parser.read(manifest)

        async def work(connection: pool.Connection) -> None:
            bound = await self._bound(connection)
            await accepting.accept(
                connection,
                accepted,
                manifest.body,
                repository=(bound.repository_id, self._name),
                push=Push(
                    tags=tags, by=self._principal.username, rules=bound.rules, is_told=is_told
                ),
            )

        await self._database.run(work)
        return accepted

    async def want_tags(self, digest: Digest, wanted: Sequence[str]) -> None:
        """Raise ImmutableTag where a tag may not move to a manifest; `put_manifest` asks again."""
        async with self._database.connection() as connection:
            kept = await self._immutable(connection, wanted)
            moving = await tags.moving(connection, self._name, list(kept), to=digest)
        if moving:
            raise immutability.not_moved(self._name, {tag: kept[tag] for tag in moving})

    # Deleting

    async def delete_manifest(self, digest: Digest) -> None:
        """Remove a manifest and its tags.

        Raise ImmutableTag, or a refusal UNSUPPORTED while an index names it.
        """
        await self.require(Action.DELETE)
        await self._admission.want_change("delete", self._name)

        async def work(connection: pool.Connection) -> bool:
            await self._want_no_immutable_tag(connection, digest)
            return await manifests.delete(
                connection, self._name, digest, by=self._principal.username
            )

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
        reason = f"part of {', '.join(map(str, parents))}; delete that first"
        if not parents:
            reason = "pinned by a job that is using it; try again later"
        return self._refuse("UNSUPPORTED", f"{digest} is {reason}", "delete manifest")

    async def delete_tag(self, tag: str) -> None:
        """Remove a tag and nothing else; raise ImmutableTag."""
        await self.require(Action.DELETE)
        await self._admission.want_change("delete", self._name)
        names.check_tag(tag)

        async def work(connection: pool.Connection) -> bool:
            deleted = await tags.delete(connection, self._name, tag, by=self._principal.username)
            if deleted and (kept := await self._immutable(connection, [tag])):
                raise immutability.not_deleted(self._name, kept)
            return deleted

        # Who collects a signature has its row of the queue and wants this tag: a deadlock.
        if not await self._database.run(work):
            raise self._refuse(
                "MANIFEST_UNKNOWN", f"tag {tag} is not in {self._name}", "delete tag"
            )

    async def _want_no_immutable_tag(self, connection: pool.Connection, digest: Digest) -> None:
        """Lock a manifest, so that it gets no further tags; raise ImmutableTag if it has one."""
        names_of_it = await manifests.lock_tags(connection, self._name, digest)
        if kept := await self._immutable(connection, names_of_it):
            raise immutability.not_deleted_with(self._name, digest, kept)

    async def _immutable(
        self, connection: pool.Connection, tags: Sequence[str]
    ) -> Mapping[str, ImmutableRule]:
        bound = await immutable_rules.binding(connection, self._name) if tags else None
        return immutability.taken(bound.rules, self._name, tags) if bound is not None else {}

    async def delete_blob(self, digest: Digest) -> None:
        """Take a blob from this repository; raise a refusal UNSUPPORTED while it is needed."""
        await self.require(Action.DELETE)
        await self._admission.want_change("delete", self._name)
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

    async def _bound(self, connection: pool.Connection) -> Bound:
        """Return this repository, made if need be, with the rules that bind its tags."""
        bound = await immutable_rules.binding(connection, self._name)
        if bound is None:
            await self._ensure(connection)
            bound = await immutable_rules.binding(connection, self._name)
        assert bound is not None  # noqa: S101 it is there now
        return bound

    async def _ensure(self, connection: pool.Connection) -> int:
        repository_id = await repositories.ensure(
            connection, project=self._project, name=self._name
        )
        if repository_id is None:
            raise names.project_unknown(self._project, self._name)
        return repository_id
