"""Two manners of reading: Harbor's ignores what it does not know, ours refuses it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field


class HarborModel(BaseModel):
    """A definition of Harbor's API. Unknown fields are kept aside to be named in a warning."""

    model_config = ConfigDict(extra="allow", strict=True)


class OwnModel(BaseModel):
    """Something that Harbor does not have: unknown fields are an error."""

    model_config = ConfigDict(extra="forbid", strict=True)


class OwnQuery(BaseModel):
    """The query of a path that Harbor does not have: unknown parameters are an error."""

    model_config = ConfigDict(extra="forbid")


class Nothing(BaseModel):
    """No path parameters, no query parameters, or no body."""

    model_config = ConfigDict(extra="allow")


class Paging(BaseModel):
    """What every list understands."""

    model_config = ConfigDict(extra="allow")

    page: Annotated[int, Field(ge=1, le=2**31)] = 1
    page_size: Annotated[int, Field(ge=1, le=100)] = 10


class LinkedPaging(Paging):
    """What a list understands whose `Link` goes on from a row: then `page` only counts along."""

    cursor: Annotated[str, Field(max_length=4096)] | None = None


class OwnPaging(LinkedPaging):
    """What a list that Harbor does not have understands, and nothing else."""

    model_config = ConfigDict(extra="forbid")


Id: TypeAlias = Annotated[int, Field(ge=0, lt=2**63)]


class ById(BaseModel):
    """A path that ends in an id."""

    id: Id


class Error(BaseModel):
    """One entry of an error answer."""

    code: str
    message: str


class Errors(BaseModel):
    """What every error answer holds."""

    errors: list[Error]


def unknown_fields(value: Any, prefix: str = "") -> Iterator[str]:
    """Yield the paths of fields that no model declares, depth first."""
    if isinstance(value, BaseModel):
        for name in value.model_extra or {}:
            yield f"{prefix}{name}"
        for name in type(value).model_fields:
            yield from unknown_fields(getattr(value, name), f"{prefix}{name}.")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from unknown_fields(item, f"{prefix.removesuffix('.')}[{index}].")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from unknown_fields(item, f"{prefix}{name}.")
