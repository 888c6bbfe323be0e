"""SQL for lists: conditions and order become text, values become parameters.

Column names come from a table of the store that asks, never from the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Final, TypeVar, assert_never

from database.pool import Connection, Record
from jobservice.domain.listing import (
    COUNT_LIMIT,
    AnyOf,
    Between,
    Condition,
    Contains,
    Cursor,
    Equals,
    Key,
    Listing,
    Order,
    Rows,
    Scalar,
)

Item = TypeVar("Item")

# Among how many of the newest rows a fuzzy condition looks, in tables that grow without end.
FUZZY_LIMIT: Final = 10_000
BRANCH_LIMIT: Final = 32
# An absent time, to sort by: after all others.
FAR = "timestamptz '9999-12-31 00:00:00+00'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A query and its parameters."""

    sql: str
    parameters: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A time that rows with one of some `values` in a `field` do not have, and all others have."""

    field: str
    values: frozenset[str]

    def holds(self, conditions: Sequence[Condition]) -> bool | None:
        """Say whether rows that fulfil the conditions lack it; None where they may or may not."""
        for condition in conditions:
            if isinstance(condition, Equals) and condition.field == self.field:
                return condition.value in self.values
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a list is made from.

    `select` is a SELECT without WHERE that yields one row for each of `source`. `columns` are the
    expressions of fields, `sorts` those to sort by where a column may be absent. AnyOf conditions
    on fields in `split` become one branch for each value, so that an index on the column and then
    the order serves each; `absent` tells in which of them a time to sort by is none. In an
    `endless` table fuzzy conditions look at the newest rows only, and so do those on fields without
    an index: `indexed` names the others, if not all have one.
    """

    select: str
    source: str
    columns: Mapping[str, str]
    sorts: Mapping[str, str] = field(default_factory=dict)
    split: frozenset[str] = frozenset()
    absent: Mapping[str, Absent] = field(default_factory=dict)
    endless: bool = False
    indexed: frozenset[str] | None = None

    def is_served(self, condition: Condition) -> bool:
        """Say whether an index finds what fulfils the condition."""
        if not self.endless:
            return True
        has_index = self.indexed is None or condition.field in self.indexed
        return has_index and not isinstance(condition, Contains)

    def lacks(self, name: str, conditions: Sequence[Condition]) -> bool | None:
        """Say whether rows of a branch lack a time; None where they may or may not."""
        absent = self.absent.get(name)
        return absent.holds(conditions) if absent else None


async def page(
    connection: Connection,
    table: Table,
    listing: Listing,
    item: Callable[[Record], Item],
    *,
    total: int | None = None,
) -> Rows[Item]:
    """Return one page; `total` is given where a counter is kept, else the matches are counted."""
    bounded, searched = await _bounded(connection, table, listing)
    statement = select(table, bounded)
    found = await connection.fetch(statement.sql, *statement.parameters)
    cursor = listing.cursor
    backwards = cursor is not None and cursor.backwards
    more = len(found) > listing.page_size
    records = [dict(row) for row in found[: listing.page_size]]
    if backwards:
        records.reverse()
    keys = [_taken(record) for record in records]
    if total is None:
        counting = count(table.source, bounded, table.columns)
        total = await connection.fetchval(counting.sql, *counting.parameters)
    begins = cursor is None and listing.page == 1
    return Rows(
        items=tuple(item(record) for record in records),
        total=total,
        before=_before(keys, there=more if backwards else not begins),
        after=_after(keys, there=backwards or more),
        searched=searched,
    )


def _taken(record: dict[str, Any]) -> Key:
    """Take the sort key out of a record."""
    names = sorted((n for n in record if n.startswith(_KEY)), key=lambda n: int(n[len(_KEY) :]))
    return tuple(record.pop(name) for name in names)


def _before(keys: Sequence[Key], *, there: bool) -> Cursor | None:
    return Cursor(key=keys[0], backwards=True) if keys and there else None


def _after(keys: Sequence[Key], *, there: bool) -> Cursor | None:
    return Cursor(key=keys[-1]) if keys and there else None


async def _bounded(
    connection: Connection, table: Table, listing: Listing
) -> tuple[Listing, int | None]:
    """Where a condition could read a table without end, keep it to the newest rows."""
    exact = tuple(c for c in listing.conditions if table.is_served(c))
    if len(exact) == len(listing.conditions):
        return listing, None
    newest = Listing(
        conditions=exact,
        order=(Order(field="id", descending=True),),
        page=FUZZY_LIMIT + 1,
        page_size=1,
    )
    writer = _Writer(table.columns)
    sql = _found(writer, table, newest)
    row = await connection.fetchrow(sql, *writer.parameters)
    if row is None:
        return listing, None
    start = Between(field="id", low=row[f"{_KEY}0"] + 1)
    return replace(listing, conditions=(*listing.conditions, start)), FUZZY_LIMIT


_KEY = "sort_key_"


@dataclass(slots=True)
class _Writer:
    columns: Mapping[str, str]
    sorts: Mapping[str, str] = field(default_factory=dict)
    parameters: list[Any] = field(default_factory=list)

    def parameter(self, value: Any) -> str:
        self.parameters.append(value)
        return f"${len(self.parameters)}"

    def where(self, conditions: Sequence[Condition], *further: str) -> str:
        parts = [*(self._condition(condition) for condition in conditions), *further]
        return f" WHERE {' AND '.join(parts)}" if parts else ""

    def key(self, order: Order) -> str:
        return self.sorts.get(order.field, self.columns[order.field])

    def beyond(self, keys: Sequence[Order], values: Key) -> str:
        """What comes after these values in the order of the keys."""
        parameters = [self.parameter(value) for value in values]
        if len({order.descending for order in keys}) == 1:
            compared = ", ".join(self.key(order) for order in keys)
            return f"({compared}) {_than(keys[0])} ({', '.join(parameters)})"
        cases = []
        for place, order in enumerate(keys):
            same = [f"{self.key(k)} = {p}" for k, p in zip(keys[:place], parameters, strict=False)]
            further = f"{self.key(order)} {_than(order)} {parameters[place]}"
            cases.append(" AND ".join([*same, further]))
        return f"({' OR '.join(f'({case})' for case in cases)})"

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


def select(table: Table, listing: Listing) -> Statement:
    """Return the statement for one page and a row more, which tells whether there is a next.

    The page's keys are found first, which an index may do alone, and then what is shown of it.
    """
    writer = _Writer(table.columns, table.sorts)
    found = _found(writer, table, listing)
    order = _ordering(_keys(listing), "page.")
    columns, _, source = table.select.strip().removeprefix("SELECT").rpartition("\nFROM ")
    shown = "".join(f", page.{_KEY}{n}" for n in range(len(_keys(listing))))
    sql = (
        f"SELECT {columns.strip()}{shown} FROM ({found}) AS page JOIN {source} ON"  # noqa: S608  no value is in the text
        f" {table.columns['id']} = page.page_id ORDER BY {order}"
    )
    return Statement(sql=sql, parameters=tuple(writer.parameters))


def _found(writer: _Writer, table: Table, listing: Listing) -> str:
    """Return the query for the ids and sort keys of a page."""
    keys = _keys(listing)
    branches = [
        _branch(writer, table, keys, conditions, listing.cursor)
        for conditions in _branches(table, listing.conditions)
    ]
    order = _ordering(keys)
    sql = branches[0]
    if len(branches) > 1:
        each = writer.parameter(listing.offset + listing.page_size + 1)
        union = " UNION ALL ".join(f"({branch} LIMIT {each})" for branch in branches)
        sql = f"SELECT * FROM ({union}) AS branches ORDER BY {order}"  # noqa: S608  no value is in the text
    limit, offset = writer.parameter(listing.page_size + 1), writer.parameter(listing.offset)
    return f"{sql} LIMIT {limit} OFFSET {offset}"


def _branch(
    writer: _Writer,
    table: Table,
    keys: Sequence[Order],
    conditions: Sequence[Condition],
    cursor: Cursor | None,
) -> str:
    """Return the query for the rows of some conditions, in order.

    A time that none of them has is a constant, so that they are in order without it; that all of
    them have it is said, because an index of such rows wants to be told.
    """
    lacking = {order.field: table.lacks(order.field, conditions) for order in keys}
    known = {
        name: FAR if lacks else table.columns[name]
        for name, lacks in lacking.items()
        if lacks is not None
    }
    writer = replace(writer, sorts={**writer.sorts, **known})
    shown = "".join(f", {writer.key(order)} AS {_KEY}{n}" for n, order in enumerate(keys))
    beyond = [writer.beyond(keys, cursor.key)] if cursor else []
    there = [
        f"{table.columns[name]} IS NOT NULL" for name, lacks in lacking.items() if lacks is False
    ]
    return (
        f"SELECT {table.columns['id']} AS page_id{shown} FROM {table.source}"  # noqa: S608  no value is in the text
        f"{writer.where(conditions, *beyond, *there)} ORDER BY {_ordering(keys)}"
    )


def _keys(listing: Listing) -> list[Order]:
    """Return the sort keys in the direction in which the page is read."""
    backwards = listing.cursor is not None and listing.cursor.backwards
    return [_turned(order) if backwards else order for order in listing.keys]


def _ordering(keys: Sequence[Order], prefix: str = "") -> str:
    return ", ".join(f"{prefix}{_KEY}{n}{_direction(order)}" for n, order in enumerate(keys))


def count(source: str, listing: Listing, columns: Mapping[str, str]) -> Statement:
    """Return the statement that counts the matches, up to one beyond COUNT_LIMIT."""
    writer = _Writer(columns)
    where = writer.where(listing.conditions)
    sql = f"SELECT count(*) FROM (SELECT FROM {source}{where} LIMIT {COUNT_LIMIT + 1}) AS matches"  # noqa: S608  no value is in the text
    return Statement(sql=sql, parameters=tuple(writer.parameters))


def _branches(table: Table, conditions: tuple[Condition, ...]) -> list[tuple[Condition, ...]]:
    """Return the conditions of each branch: one value each where the table wants them split."""
    choices: list[Sequence[Condition]] = []
    size = 1
    for condition in conditions:
        split = isinstance(condition, AnyOf) and condition.field in table.split
        if split and 0 < len(condition.values) * size <= BRANCH_LIMIT:  # type: ignore[union-attr]
            values = dict.fromkeys(condition.values)  # type: ignore[union-attr]
            size *= len(values)
            choices.append([Equals(field=condition.field, value=value) for value in values])
        else:
            choices.append([condition])
    return list(product(*choices))


def _turned(order: Order) -> Order:
    return replace(order, descending=not order.descending)


def _direction(order: Order) -> str:
    return " DESC" if order.descending else ""


def _than(order: Order) -> str:
    return "<" if order.descending else ">"
