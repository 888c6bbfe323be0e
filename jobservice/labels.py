"""Labels, and what carries them: looking, making, changing, removing, putting on, taking off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from access import audit, projects
from access.audit import Event
from database import pool
from database.pool import Connection, Database
from jobservice.domain.listing import Listing, Rows
from jobservice.errors import AlreadyLabelled, InvalidRequest, NameTaken, NotFound
from jobservice.store import labels as label_rows
from protocol.digest import Digest, is_digest
from protocol.errors import InvalidDigest
from registry.metadata import labels, manifests
from registry.metadata.labels import Label, LabelWish
from registry.metadata.manifests import Found

LABEL: Final = "label"
ARTIFACT: Final = "artifact"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactName:
    """An artifact by tag or digest; the repository is named within its project."""

    project: str
    repository: str
    reference: str

    @override
    def __str__(self) -> str:
        separator = "@" if is_digest(self.reference) else ":"
        return f"{self.project}/{self.repository}{separator}{self.reference}"


async def page(database: Database, listing: Listing, *, project_id: int | None) -> Rows[Label]:
    """Return one page of labels; raise ProjectNotFound if they are to be of one that is none."""
    async with database.connection() as connection:
        if project_id is not None:
            await projects.get(connection, project_id)
        return await label_rows.page(connection, listing)


async def get(database: Database, label_id: int) -> Label:
    """Return a label; raise NotFound."""
    async with database.connection() as connection:
        return await _get(connection, label_id)


async def create(database: Database, project_id: int | None, wish: LabelWish) -> int:
    """Make a label, everybody's without a project; raise ProjectNotFound, NameTaken."""
    async with database.transaction() as connection:
        if project_id is not None:
            await projects.get(connection, project_id)
        try:
            label_id = await labels.create(connection, project_id, wish)
        except pool.UniqueViolation:
            raise NameTaken(LABEL, wish.name) from None
        await _record(connection, Event.CREATE_LABEL, label_id, wish)
    return label_id


async def change(database: Database, label_id: int, wish: LabelWish) -> None:
    """Change a label; raise NotFound, NameTaken."""
    async with database.transaction() as connection:
        try:
            if not await labels.change(connection, label_id, wish):
                raise NotFound(LABEL, label_id)
        except pool.UniqueViolation:
            raise NameTaken(LABEL, wish.name) from None
        await _record(connection, Event.UPDATE_LABEL, label_id, wish)


async def delete(database: Database, label_id: int) -> None:
    """Remove a label, from everything that carries it too; raise NotFound."""
    async with database.transaction() as connection:
        label = await _get(connection, label_id)
        await labels.delete(connection, label_id)
        await _record(connection, Event.DELETE_LABEL, label_id, label)


async def carried(database: Database, name: ArtifactName) -> Sequence[Label]:
    """Return the labels of an artifact; raise ProjectNotFound, NotFound."""
    async with database.connection() as connection:
        _, artifact = await _artifact(connection, name)
        return await labels.carried(connection, artifact)


async def put_on(database: Database, name: ArtifactName, label_id: int) -> None:
    """Put a label on an artifact, everybody's or one of its project.

    Raise ProjectNotFound, NotFound, AlreadyLabelled, InvalidRequest.
    """
    async with database.transaction() as connection:
        project_id, artifact = await _artifact(connection, name)
        await _touch(connection, name, artifact)
        label = await _get(connection, label_id)
        if label.project_id not in {None, project_id}:
            raise NotFound(LABEL, label_id)
        try:
            done = await labels.put_on(connection, artifact, label_id)
        except pool.UniqueViolation:
            raise AlreadyLabelled(str(name), label.name) from None
        except pool.REFERENCE_VIOLATIONS:
            raise NotFound(LABEL, label_id) from None
        if not done:
            raise InvalidRequest([f"{name} has {labels.LIMIT} labels, and no more are read"])
        await _record_on(connection, Event.CREATE_ARTIFACT_LABEL, name, artifact, label)


async def take_off(database: Database, name: ArtifactName, label_id: int) -> None:
    """Take a label off an artifact; raise ProjectNotFound, NotFound."""
    async with database.transaction() as connection:
        _, artifact = await _artifact(connection, name)
        await _touch(connection, name, artifact)
        label = await _get(connection, label_id)
        if not await labels.take_off(connection, artifact, label_id):
            raise NotFound(f"{LABEL} of {name}", label_id)
        await _record_on(connection, Event.DELETE_ARTIFACT_LABEL, name, artifact, label)


async def _get(connection: Connection, label_id: int) -> Label:
    label = await labels.get(connection, label_id)
    if label is None:
        raise NotFound(LABEL, label_id)
    return label


async def _artifact(connection: Connection, name: ArtifactName) -> tuple[int, Found]:
    """Return the project of an artifact, and what it is; raise ProjectNotFound, NotFound."""
    project = await projects.get(connection, name.project)
    repository = f"{name.project}/{name.repository}"
    try:
        reference = Digest.parse(name.reference) if is_digest(name.reference) else name.reference
    except InvalidDigest as error:
        raise InvalidRequest([f"reference: {error}"]) from error
    found = await manifests.find(connection, repository, reference, with_body=False)
    if found is None:
        raise NotFound(ARTIFACT, str(name))
    return project.id, found


async def _touch(connection: Connection, name: ArtifactName, artifact: Found) -> None:
    if not await labels.touch(connection, artifact):
        raise NotFound(ARTIFACT, str(name))


async def _record(connection: Connection, event: Event, label_id: int, wish: LabelWish) -> None:
    entry = audit.Entry(
        event=event,
        resource=wish.name,
        details={"id": label_id, "description": wish.description, "color": wish.color},
    )
    await audit.record(connection, entry)


async def _record_on(
    connection: Connection, event: Event, name: ArtifactName, artifact: Found, label: Label
) -> None:
    entry = audit.Entry(
        event=event,
        resource=str(name),
        description=label.name,
        details={"label_id": label.id, "digest": str(artifact.digest)},
    )
    await audit.record(connection, entry)
