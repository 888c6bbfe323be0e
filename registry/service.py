"""This registry: the one door for whoever wants its content, from Python or from /v2/."""

from __future__ import annotations

from collections.abc import Sequence

from access import audit, authorisation, projects
from access.identity import Principal
from access.projects import Project
from database.pool import Database
from registry import names
from registry.admission import READ_ONLY, Admission
from registry.errors import refusal
from registry.look_ups import LookUps
from registry.means import Means
from registry.metadata import repositories, switches
from registry.repository import LocalRepository
from registry.reserve import Reserve
from registry.storage.driver import Storage
from registry.uses import UseBuffer


class Registry:
    """Repositories on one database and one storage. `uses` is what clients used since a moment."""

    def __init__(
        self, database: Database, storage: Storage, *, reserve: Reserve | None = None
    ) -> None:
        self._database = database
        self.storage = storage
        self.uses = UseBuffer()
        self.admission = Admission(database=database, storage=storage, reserve=reserve or Reserve())
        self._means = Means(
            database=database,
            storage=storage,
            admission=self.admission,
            look_ups=LookUps(database),
        )

    def repository(self, name: str, principal: Principal) -> LocalRepository:
        """Return a repository, there or not, as `principal` sees it; raise NAME_INVALID."""
        return LocalRepository(self._means, name, principal)

    async def is_read_only(self) -> bool:
        """Say whether changes of content are forbidden, as of now."""
        self.admission.forget()
        return await self.admission.is_read_only()

    async def set_read_only(self, *, on: bool) -> None:
        """Forbid or allow changes of content; every process obeys within five seconds."""
        async with self._database.transaction() as connection:
            if await switches.turn(connection, READ_ONLY, on=on, changed_by=audit.actor()):
                entry = audit.Entry(
                    event=audit.Event.UPDATE_CONFIGURATION,
                    resource=READ_ONLY,
                    description="on" if on else "off",
                )
                await audit.record(connection, entry)
        self.admission.forget()

    async def repositories_page(
        self, principal: Principal, *, after: str, limit: int
    ) -> Sequence[str]:
        """Return names of repositories that hold something; sysadmins only."""
        if not authorisation.may_administer(principal):
            raise refusal(
                "UNAUTHORIZED", "the catalog needs a system administrator", operation="list"
            )
        async with self._database.connection() as connection:
            return await repositories.page(connection, after=after, limit=limit)

    async def repository_count(self, project: str) -> int:
        """Return how many repositories of a project hold something."""
        async with self._database.connection() as connection:
            return await repositories.count_in_project(connection, project)

    async def visibility(self, repository: str) -> bool | None:
        """Say whether everybody may read a repository; None if its project is not there."""
        async with self._database.connection() as connection:
            return await repositories.project_is_public(connection, names.project_of(repository))

    async def prepare(self, repository: str, *, public: bool | None = None) -> None:
        """Make the project of a repository unless it is there: private, unless `public` is True."""
        project = names.project_of(repository)
        async with self._database.connection() as connection:
            await projects.ensure(connection, name=project, public=bool(public))

    async def delete_project(self, project: Project) -> None:
        """Delete a project and its empty repositories; raise ProjectNotEmpty, ProjectNotFound."""
        async with self._database.transaction() as connection:
            await repositories.delete_empty(connection, project.id)
            await projects.delete(connection, project)
            entry = audit.Entry(
                event=audit.Event.DELETE_PROJECT,
                resource=project.name,
                details={"id": project.id},
            )
            await audit.record(connection, entry)
