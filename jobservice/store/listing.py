"""SQL for lists: conditions and order become text, values become parameters.

Column names come from a table of the store that asks, never from the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

from jobservice.domain.listing import (
    COUNT_LIMIT,
    AnyOf,
    Between,
    Condition,
    Contains,
    Equals,
    Listing,
    Order,
    Scalar,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A query and its parameters."""

    sql: str
    parameters: tuple[Any, ...]


@dataclass(slots=True)
class _Writer:
    columns: Mapping[str, str]
    parameters: list[Any] = field(default_factory=list)

    def parameter(self, value: Any) -> str:
        self.parameters.append(value)
        return f"${len(self.parameters)}"

    def where(self, conditions: tuple[Condition, ...]) -> str:
        parts = [self._condition(condition) for condition in conditions]
        return f" WHERE {' AND '.join(parts)}" if parts else ""

    def order(self, order: tuple[Order, ...]) -> str:
        keys = [f"{self.columns[o.field]}{' DESC' if o.descending else ''}" for o in order]
        if all(o.field != "id" for o in order):
            keys.append(self.columns["id"])
        return f" ORDER BY {', '.join(keys)}"

    def _condition(self, condition: Condition) -> str:
        column = self.columns[condition.field]
        match condition:
            case Equals(value=value):
                return f"{column} = {self.parameter(value)}"
            case Contains(text=text):
                escaped = text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
                return f"{column}::text ILIKE {self.parameter(f'%{escaped}%')}"
            case AnyOf(values=values):
                return f"{column} = ANY({self.parameter(list(values))})"
            case Between(low=low, high=high):
                return self._between(column, low, high)
            case _:
                assert_never(condition)

    def _between(self, column: str, low: Scalar | None, high: Scalar | None) -> str:
        parts = []
        if low is not None:
            parts.append(f"{column} >= {self.parameter(low)}")
        if high is not None:
            parts.append(f"{column} <= {self.parameter(high)}")
        return " AND ".join(parts) or "true"


def select(base: str, listing: Listing, columns: Mapping[str, str]) -> Statement:
    """Return the statement for one page of `base`, a SELECT without WHERE; `columns` has `id`."""
    writer = _Writer(columns)
    where = writer.where(listing.conditions)
    order = writer.order(listing.order)
    limit, offset = writer.parameter(listing.page_size), writer.parameter(listing.offset)
    sql = f"{base}{where}{order} LIMIT {limit} OFFSET {offset}"
    return Statement(sql=sql, parameters=tuple(writer.parameters))


def count(table: str, listing: Listing, columns: Mapping[str, str]) -> Statement:
    """Return the statement that counts the matches, up to one beyond COUNT_LIMIT."""
    writer = _Writer(columns)
    where = writer.where(listing.conditions)
    sql = f"SELECT count(*) FROM (SELECT FROM {table}{where} LIMIT {COUNT_LIMIT + 1}) AS matches"  # noqa: S608  no value is in the text
    return Statement(sql=sql, parameters=tuple(writer.parameters))
