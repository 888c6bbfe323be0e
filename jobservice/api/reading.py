"""From bytes to models: path, query and body, with every problem named at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from jobservice.api.errors import BodyTooLarge, UnsupportedMediaType
from jobservice.api.models.base import Nothing
from jobservice.errors import InvalidRequest

Model = TypeVar("Model", bound=BaseModel)

JSON = "application/json"


def parameters(model: type[Model], values: Mapping[str, str]) -> Model:
    """Read a path or a query; raise InvalidRequest."""
    try:
        read = model.model_validate(dict(values))
    except ValidationError as error:
        raise InvalidRequest(_problems(error)) from error
    return _storable(read)


async def body(model: type[Model], request: web.Request) -> Model:
    """Read a JSON body; raise InvalidRequest, BodyTooLarge, UnsupportedMediaType."""
    if model is Nothing:
        return model()
    raw = await _read(request)
    if not raw.strip():
        raise InvalidRequest(["body: is missing; send a JSON object"])
    if request.content_type != JSON:
        raise UnsupportedMediaType(request.content_type)
    try:
        read = model.model_validate_json(raw)
    except ValidationError as error:
        raise InvalidRequest(_problems(error)) from error
    return _storable(read)


async def _read(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise BodyTooLarge(request.client_max_size) from error
    except web.RequestPayloadError as error:
        raise InvalidRequest(["body: is not what its headers say, or does not end"]) from error


def _storable(read: Model) -> Model:
    """Return what was read; raise InvalidRequest for text that Postgres cannot hold."""
    places = list(_with_nul(read.model_dump(), ""))
    if places:
        raise InvalidRequest([f"{place}: holds a NUL character" for place in places])
    return read


def _with_nul(value: Any, place: str) -> Iterator[str]:
    """Yield where a text holds a NUL, depth first."""
    match value:
        case str() if "\x00" in value:
            yield place.removeprefix(".")
        case dict():
            for name, inner in value.items():
                yield from _with_nul(inner, f"{place}.{name}")
        case list():
            for index, inner in enumerate(value):
                yield from _with_nul(inner, f"{place}.{index}")
        case _:
            pass


def _problems(error: ValidationError) -> list[str]:
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return list(dict.fromkeys(_sentence(dict(detail)) for detail in details))


def _sentence(detail: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in detail["loc"]) or "body"
    if detail["type"] == "missing":
        return f"{place}: is missing"
    if detail["type"] == "extra_forbidden":
        return f"{place}: is not known"
    return f"{place}: {detail['msg']}"
