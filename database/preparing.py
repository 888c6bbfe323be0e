"""What each new connection is taught: keepalives, and JSON as Python values."""

from __future__ import annotations

from typing import Any

import orjson

from database import keepalive


async def prepare_connection(connection: Any) -> None:
    """Set keepalives and make json and jsonb read and write Python values.

    jsonb goes in its binary form, which COPY needs.
    """
    keepalive.enable(connection)
    await connection.set_type_codec(
        "json", schema="pg_catalog", encoder=_encode_json, decoder=orjson.loads
    )
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=_encode_jsonb,
        decoder=_decode_jsonb,
        format="binary",
    )


def _encode_json(value: object) -> str:
    return _dumped(value).decode()


# The binary form is the text behind the number of the format, which is 1 in every Postgres.
_JSONB_FORMAT = b"\x01"


def _encode_jsonb(value: object) -> bytes:
    return _JSONB_FORMAT + _dumped(value)


def _decode_jsonb(value: bytes) -> Any:
    return orjson.loads(memoryview(value)[len(_JSONB_FORMAT) :])


def _dumped(value: object) -> bytes:
    """Write any mapping as an object."""
    return orjson.dumps(value, default=dict)


async def leave_as_it_is(connection: Any) -> None:
    """Leave out asyncpg's reset query: nothing here changes session state; it is a round trip."""
    del connection
