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


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All conditions must hold; `page` counts from 1."""

    conditions: tuple[Condition, ...] = ()
    order: tuple[Order, ...] = ()
    page: int = 1
    page_size: int = DEFAULT_PAGE_SIZE

    @property
    def offset(self) -> int:
        """How many rows come before this page."""
        return (self.page - 1) * self.page_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows(Generic[Item]):
    """One page; `total` counts all matches and stops at COUNT_LIMIT + 1."""

    items: tuple[Item, ...]
    total: int
