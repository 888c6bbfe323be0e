"""The rules of a project that make tags immutable: looking, adding, changing, removing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from access import audit, projects
from access.audit import Event
from access.projects import Project
from database import pool
from database.pool import Connection, Database
from jobservice.domain.listing import Equals, Listing, Rows
from jobservice.errors import InvalidRequest, NameTaken, NotFound
from jobservice.store import immutable_rules as rule_rows
from registry import immutable_reach
from registry.immutability import ImmutableRule
from registry.immutable_reach import Reach
from registry.metadata import immutable_rules

WHAT: Final = "immutable tag rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImmutableRules:
    """The use cases; a project is named or given by its id, and each raises ProjectNotFound."""

    database: Database

    async def page(self, project: str | int, listing: Listing) -> Rows[ImmutableRule]:
        """Return one page of a project's rules."""
        async with self.database.connection() as connection:
            found = await projects.get(connection, project)
            own = Equals(field="project_id", value=found.id)
            asked = replace(listing, conditions=(*listing.conditions, own))
            return await rule_rows.page(connection, asked)

    async def get(self, project: str | int, rule_id: int) -> ImmutableRule:
        """Return a rule; raise NotFound."""
        async with self.database.connection() as connection:
            found = await projects.get(connection, project)
            return await _get(connection, found, rule_id)

    async def reach(self, project: str | int, rule_id: int) -> Reach:
        """Return what a rule takes of what is there; raise NotFound."""
        async with self.database.connection() as connection:
            found = await projects.get(connection, project)
            rule = await _get(connection, found, rule_id)
            return await immutable_reach.reach(connection, found.id, rule)

    async def create(self, project: str | int, rule: ImmutableRule) -> int:
        """Add a rule and return its id; raise NameTaken, InvalidRequest."""
        async with self.database.transaction() as connection:
            found = await projects.get(connection, project)
            try:
                made = await immutable_rules.create(connection, found.id, rule)
            except pool.UniqueViolation:
                raise NameTaken(WHAT, str(rule)) from None
            if made is None:
                raise InvalidRequest([_too_many(found)])
            await _record(connection, Event.CREATE_IMMUTABLE_RULE, found, replace(rule, id=made))
        return made

    async def change(self, project: str | int, rule: ImmutableRule) -> None:
        """Change what a rule takes; raise NotFound, NameTaken."""
        async with self.database.transaction() as connection:
            found = await projects.get(connection, project)
            try:
                changed = await immutable_rules.change(connection, found.id, rule)
            except pool.UniqueViolation:
                raise NameTaken(WHAT, str(rule)) from None
            if not changed:
                raise NotFound(WHAT, rule.id)
            await _record(connection, Event.UPDATE_IMMUTABLE_RULE, found, rule)

    async def switch(self, project: str | int, rule_id: int, *, disabled: bool) -> None:
        """Disable a rule, or let it hold again; raise NotFound."""
        async with self.database.transaction() as connection:
            found = await projects.get(connection, project)
            rule = await _get(connection, found, rule_id)
            await immutable_rules.switch(connection, found.id, rule_id, disabled=disabled)
            changed = replace(rule, disabled=disabled)
            await _record(connection, Event.UPDATE_IMMUTABLE_RULE, found, changed)

    async def delete(self, project: str | int, rule_id: int) -> None:
        """Remove a rule; raise NotFound."""
        async with self.database.transaction() as connection:
            found = await projects.get(connection, project)
            rule = await _get(connection, found, rule_id)
            await immutable_rules.delete(connection, found.id, rule_id)
            await _record(connection, Event.DELETE_IMMUTABLE_RULE, found, rule)


async def _get(connection: Connection, project: Project, rule_id: int) -> ImmutableRule:
    rule = await immutable_rules.get(connection, project.id, rule_id)
    if rule is None:
        raise NotFound(WHAT, rule_id)
    return rule


def _too_many(project: Project) -> str:
    return (
        f"project {project.name} has {immutable_rules.LIMIT} rules already, and no more are read"
        " with every push: join some, as {a,b} joins patterns"
    )


async def _record(
    connection: Connection, event: Event, project: Project, rule: ImmutableRule
) -> None:
    entry = audit.Entry(
        event=event,
        resource=f"{project.name} rule {rule.id}",
        description=str(rule),
        details={"id": rule.id, "project_id": project.id, "disabled": rule.disabled},
    )
    await audit.record(connection, entry)
