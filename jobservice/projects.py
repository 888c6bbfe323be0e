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
from registry.service import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectView:
    """A project, how many repositories it has, and its retention policy if there is one."""

    project: Project
    repositories: int
    retention_id: int | None


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

    async def create(self, name: str, *, public: bool, owner: Principal) -> Project:
        """Make a project; raise InvalidProjectName, ProjectExists."""
        async with self.database.transaction() as connection:
            made = await projects.create(connection, name=name, public=public, owner=owner)
            entry = audit.Entry(
                event=audit.Event.CREATE_PROJECT,
                resource=made.name,
                details={"id": made.id, "public": public},
            )
            await audit.record(connection, entry)
        return made

    async def set_public(self, key: str | int, *, public: bool) -> None:
        """Change who may read a project; raise ProjectNotFound."""
        async with self.database.transaction() as connection:
            found = await projects.get(connection, key)
            await projects.set_public(connection, found.id, public=public)
            entry = audit.Entry(
                event=audit.Event.UPDATE_PROJECT,
                resource=found.name,
                details={"id": found.id, "public": public},
            )
            await audit.record(connection, entry)

    async def delete(self, key: str | int) -> None:
        """Remove a project that no repository is in; raise ProjectNotFound, ProjectNotEmpty."""
        await self.registry.delete_project((await self.get(key)).project)


async def _views(connection: Connection, found: Sequence[Project]) -> tuple[ProjectView, ...]:
    ids = [project.id for project in found]
    counts = await project_rows.repositories(connection, ids)
    policies = await retention_rows.of_projects(connection, ids)
    return tuple(
        ProjectView(
            project=project,
            repositories=counts.get(project.id, 0),
            retention_id=policies.get(project.id),
        )
        for project in found
    )
