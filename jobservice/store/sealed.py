"""The columns that hold sealed secrets: what a change of keys has to go through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from database.pool import Connection
from jobservice.domain import endpoint, hook

PAGE_ROWS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedColumn:
    """A column of sealed values; `context` gives what a row's value is bound to, by its id."""

    table: str
    column: str
    context: Callable[[int], str]

    @property
    def page(self) -> str:
        """Values in the order of their ids: after $1, at most $2."""
        return (
            f"SELECT id, {self.column} AS sealed FROM {self.table}"  # noqa: S608 constants only
            f" WHERE id > $1 AND {self.column} IS NOT NULL ORDER BY id LIMIT $2"
        )

    @property
    def replace(self) -> str:
        """Put $3 in place of $2 in row $1, unless somebody else was there first."""
        return (
            f"UPDATE {self.table} SET {self.column} = $3"  # noqa: S608 constants only
            f" WHERE id = $1 AND {self.column} = $2"
        )


# Whoever adds a column `…_sealed` adds it here; a test compares this with the schema.
COLUMNS = (
    SealedColumn(
        table="jobservice.endpoints",
        column="access_secret_sealed",
        context=endpoint.secret_context,
    ),
    SealedColumn(
        table="jobservice.hook_targets",
        column="auth_header_sealed",
        context=hook.auth_header_context,
    ),
    SealedColumn(
        table="jobservice.hook_targets", column="secret_sealed", context=hook.secret_context
    ),
)


async def page(
    connection: Connection, column: SealedColumn, *, after: int
) -> Sequence[tuple[int, bytes]]:
    """Return up to PAGE_ROWS ids with their sealed values."""
    rows = await connection.fetch(column.page, after, PAGE_ROWS)
    return [(row["id"], row["sealed"]) for row in rows]


async def replace(
    connection: Connection, column: SealedColumn, row_id: int, *, old: bytes, new: bytes
) -> None:
    """Replace a sealed value unless it is another by now."""
    await connection.execute(column.replace, row_id, old, new)
