"""Rows of the rules that make tags immutable; what binds a repository is read with its id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from database.pool import Connection
from registry.immutability import ImmutableRule
from registry.selecting import Decoration, Selector

LIMIT: Final = 100  # of a project: every push reads them

BINDING = """
SELECT r.id AS repository_id, (
    SELECT jsonb_agg(to_jsonb(rule) ORDER BY rule.id) FROM registry.immutable_rules rule
    WHERE rule.project_id = r.project_id AND NOT rule.disabled
) AS rules
FROM registry.repositories r WHERE r.name = $1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A repository, and the rules in force there."""

    repository_id: int
    rules: tuple[ImmutableRule, ...]


async def binding(connection: Connection, repository: str) -> Bound | None:
    """Return a repository's id and rules; None if it is not there."""
    row = await connection.fetchrow(BINDING, repository)
    if row is None:
        return None
    return Bound(repository_id=row["repository_id"], rules=tuple(map(from_row, row["rules"] or ())))


def from_row(row: Mapping[str, Any]) -> ImmutableRule:
    """Read a row."""
    return ImmutableRule(
        id=row["id"],
        repository=_selector(row["repository_decoration"], row["repository_pattern"]),
        tag=_selector(row["tag_decoration"], row["tag_pattern"]),
        disabled=row["disabled"],
        priority=row["priority"],
    )


@lru_cache(maxsize=1024)
def _selector(decoration: str, pattern: str) -> Selector:
    """Compile a pattern once for all pushes."""
    return Selector(decoration=Decoration(decoration), pattern=pattern)


GET = "SELECT * FROM registry.immutable_rules WHERE project_id = $1 AND id = $2"


async def get(connection: Connection, project_id: int, rule_id: int) -> ImmutableRule | None:
    """Return a rule of a project; None if it has none of that id."""
    row = await connection.fetchrow(GET, project_id, rule_id)
    return from_row(row) if row is not None else None


CREATE = f"""
INSERT INTO registry.immutable_rules
    (project_id, disabled, priority, repository_decoration, repository_pattern, tag_decoration,
     tag_pattern)
SELECT $1, $2, $3, $4, $5, $6, $7
WHERE (SELECT count(*) FROM registry.immutable_rules WHERE project_id = $1) < {LIMIT}
RETURNING id
"""  # noqa: S608  a constant of this module


async def create(connection: Connection, project_id: int, rule: ImmutableRule) -> int | None:
    """Add a rule, whatever id it has; return its id, or None if the project has LIMIT already.

    Raise pool.UniqueViolation if it is there.
    """
    rule_id: int | None = await connection.fetchval(CREATE, project_id, rule.disabled, *_said(rule))
    return rule_id


CHANGE = """
UPDATE registry.immutable_rules SET priority = $3, repository_decoration = $4,
    repository_pattern = $5, tag_decoration = $6, tag_pattern = $7, updated_at = now()
WHERE project_id = $1 AND id = $2 RETURNING id
"""


async def change(connection: Connection, project_id: int, rule: ImmutableRule) -> bool:
    """Change what a rule takes, not whether it is disabled; say whether it is there.

    Raise pool.UniqueViolation if another one is the same.
    """
    return await connection.fetchval(CHANGE, project_id, rule.id, *_said(rule)) is not None


SWITCH = """
UPDATE registry.immutable_rules SET disabled = $3, updated_at = now()
WHERE project_id = $1 AND id = $2 RETURNING id
"""


async def switch(connection: Connection, project_id: int, rule_id: int, *, disabled: bool) -> bool:
    """Disable or enable a rule; say whether it is there."""
    return await connection.fetchval(SWITCH, project_id, rule_id, disabled) is not None


DELETE = "DELETE FROM registry.immutable_rules WHERE project_id = $1 AND id = $2 RETURNING id"


async def delete(connection: Connection, project_id: int, rule_id: int) -> bool:
    """Remove a rule; say whether it was there."""
    return await connection.fetchval(DELETE, project_id, rule_id) is not None


def _said(rule: ImmutableRule) -> tuple[int, str, str, str, str]:
    return (
        rule.priority,
        rule.repository.decoration.value,
        rule.repository.pattern,
        rule.tag.decoration.value,
        rule.tag.pattern,
    )
