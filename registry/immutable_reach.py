"""What a rule for immutable tags takes of what is there; if nothing, it may be a typo."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from database.pool import Connection
from registry.immutability import ImmutableRule
from registry.metadata import repositories, tags

_NAMES: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How many tags a rule takes, in how many repositories it is in force, of how many in all."""

    tags: int
    repositories: int
    repositories_in_all: int


async def reach(connection: Connection, project_id: int, rule: ImmutableRule) -> Reach:
    """Return what a rule of a project takes, or would if it were not disabled."""
    rule = replace(rule, disabled=False)
    taken = covered = in_all = 0
    async for name in _repositories(connection, project_id):
        in_all += 1
        if rule.covers(name):
            covered += 1
            async for page in _tags(connection, name):
                taken += sum(map(rule.takes, page))
    return Reach(tags=taken, repositories=covered, repositories_in_all=in_all)


async def _repositories(connection: Connection, project_id: int) -> AsyncIterator[str]:
    after = ""
    while names := await repositories.page_of_project(
        connection, project_id, after=after, limit=_NAMES
    ):
        for name in names:
            yield name
        after = names[-1]


async def _tags(connection: Connection, repository: str) -> AsyncIterator[Sequence[str]]:
    after = ""
    while names := await tags.page(connection, repository, after=after, limit=_NAMES):
        yield names
        after = names[-1]
