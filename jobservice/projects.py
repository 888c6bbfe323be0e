"""Projects, seen by the API: who they belong to and how much is in them."""

from __future__ import annotations

from dataclasses import dataclass

from access import audit, projects
from access.identity import Principal
from access.projects import Project
from database.pool import Database
from jobservice.domain.listing import Listing, Rows
from jobservice.store import projects as project_rows
from registry.service import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Projects:
    """The use cases of projects."""

    database: Database
    registry: Registry

    async def page(self, listing: Listing) -> Rows[tuple[Project, int]]:
        """Return one page of projects, each with the number of its repositories.

        Fields are named as in store.projects.COLUMNS.
        """
        async with self.database.connection() as connection:
            found = await project_rows.page(connection, listing)
            counts = await project_rows.repositories(connection, [p.id for p in found.items])
        items = tuple((project, counts.get(project.id, 0)) for project in found.items)
        return Rows(items=items, total=found.total, before=found.before, after=found.after)

    async def get(self, key: str | int) -> tuple[Project, int]:
        """Return a project and the number of its repositories; raise ProjectNotFound."""
        async with self.database.connection() as connection:
            found = await projects.get(connection, key)
            counts = await project_rows.repositories(connection, [found.id])
        return found, counts.get(found.id, 0)

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
        found, _ = await self.get(key)
        await self.registry.delete_project(found)
