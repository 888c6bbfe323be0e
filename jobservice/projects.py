"""Projects, seen by the API: who they belong to and how much is in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from access import audit, projects
from access.identity import Principal
from access.projects import Project
from database.pool import Connection, Database
from jobservice.domain.listing import Listing, Rows
from jobservice.store import projects as project_rows
from jobservice.store import retentions as retention_rows
from registry.metadata import project_settings
from registry.service import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSettings:
    """What this registry does for a project that Harbor has no word for.

    `untagged_keep_days`: what has no tag goes when it was not used for so long; None is never.
    """

    untagged_keep_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectView:
    """A project, how many repositories it has, its retention policy if any, and its settings."""

    project: Project
    repositories: int
    retention_id: int | None
    settings: ProjectSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectWish:
    """What is to be of a project; None leaves it as it is."""

    public: bool | None = None
    settings: ProjectSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Projects:
    """The use cases of projects."""

    database: Database
    registry: Registry

    async def page(self, listing: Listing) -> Rows[ProjectView]:
        """Return one page of projects; fields are named as in store.projects.COLUMNS."""
        async with self.database.connection() as connection:
            found = await project_rows.page(connection, listing)
            items = await _views(connection, found.items)
        return Rows(items=items, total=found.total, before=found.before, after=found.after)

    async def get(self, key: str | int) -> ProjectView:
        """Return a project; raise ProjectNotFound."""
        async with self.database.connection() as connection:
            [view] = await _views(connection, [await projects.get(connection, key)])
        return view

    async def create(self, name: str, wish: ProjectWish, *, owner: Principal) -> Project:
        """Make a project, private unless wished; raise InvalidProjectName, ProjectExists."""
        public = bool(wish.public)
        async with self.database.transaction() as connection:
            made = await projects.create(connection, name=name, public=public, owner=owner)
            settings = await _set(connection, made, wish.settings)
            entry = audit.Entry(
                event=audit.Event.CREATE_PROJECT,
                resource=made.name,
                details={"id": made.id, "public": public, **settings},
            )
            await audit.record(connection, entry)
        return made

    async def change(self, key: str | int, wish: ProjectWish) -> None:
        """Change who may read a project, and its settings; raise ProjectNotFound."""
        async with self.database.transaction() as connection:
            found = await projects.get(connection, key)
            public = found.public if wish.public is None else wish.public
            if wish.public is not None:
                await projects.set_public(connection, found.id, public=public)
            settings = await _set(connection, found, wish.settings)
            entry = audit.Entry(
                event=audit.Event.UPDATE_PROJECT,
                resource=found.name,
                details={"id": found.id, "public": public, **settings},
            )
            await audit.record(connection, entry)

    async def delete(self, key: str | int) -> None:
        """Remove a project that no repository is in; raise ProjectNotFound, ProjectNotEmpty."""
        await self.registry.delete_project((await self.get(key)).project)


async def _views(connection: Connection, found: Sequence[Project]) -> tuple[ProjectView, ...]:
    ids = [project.id for project in found]
    counts = await project_rows.repositories(connection, ids)
    policies = await retention_rows.of_projects(connection, ids)
    days = await project_rows.untagged_keep_days(connection, ids)
    return tuple(
        ProjectView(
            project=project,
            repositories=counts.get(project.id, 0),
            retention_id=policies.get(project.id),
            settings=ProjectSettings(untagged_keep_days=days.get(project.id)),
        )
        for project in found
    )


async def _set(
    connection: Connection, project: Project, settings: ProjectSettings | None
) -> dict[str, int | None]:
    """Write the settings that are wished; return them for the audit log."""
    if settings is None:
        return {}
    days = settings.untagged_keep_days
    await project_settings.set_untagged_keep_days(connection, project.id, days)
    return {"untagged_keep_days": days}
