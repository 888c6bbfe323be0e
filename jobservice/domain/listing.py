"""What a caller of a list asks for, independent of where the rows are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeAlias, TypeVar

Scalar: TypeAlias = str | int | bool | datetime
Item = TypeVar("Item", covariant=True)

DEFAULT_PAGE_SIZE = 10
MAXIMUM_PAGE_SIZE = 100
COUNT_LIMIT = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Equals:
    """The field has exactly this value."""

    field: str
    value: Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Contains:
    """The field's text holds this text anywhere, in any case."""

    field: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """The field lies between both ends, the ends included; None leaves an end open."""

    field: str
    low: Scalar | None = None
    high: Scalar | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf:
    """The field has one of these values."""

    field: str
    values: tuple[Scalar, ...]


Condition: TypeAlias = Equals | Contains | Between | AnyOf


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One sort key."""

    field: str
    descending: bool = False


Key: TypeAlias = tuple[Scalar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A place between two rows: beside the row with this key, one value for each sort key.

    The page is what comes after it, or, backwards, what comes before it.
    """

    key: Key
    backwards: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All conditions must hold; `page` counts from 1. With a cursor the page begins there."""

    conditions: tuple[Condition, ...] = ()
    order: tuple[Order, ...] = ()
    page: int = 1
    page_size: int = DEFAULT_PAGE_SIZE
    cursor: Cursor | None = None

    @property
    def offset(self) -> int:
        """How many rows come before this page."""
        return 0 if self.cursor else (self.page - 1) * self.page_size

    @property
    def keys(self) -> tuple[Order, ...]:
        """The sort keys that are compared: up to the id, which no two rows share."""
        named = tuple(order.field for order in self.order)
        if "id" in named:
            return self.order[: named.index("id") + 1]
        descending = bool(self.order) and self.order[-1].descending
        return (*self.order, Order(field="id", descending=descending))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows(Generic[Item]):
    """One page; `total` counts all matches and stops at COUNT_LIMIT + 1.

    `before` and `after` are where the pages beside it begin, where there are such pages;
    `searched` says how many rows a fuzzy condition was compared with, if not all.
    """

    items: tuple[Item, ...]
    total: int
    before: Cursor | None = None
    after: Cursor | None = None
    searched: int | None = None
