"""Text as Postgres can hold it: no NUL, nothing that utf-8 cannot write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def text(value: str) -> str:
    """Return the text with a replacement character for what Postgres refuses."""
    if value.isascii() and "\x00" not in value:
        return value
    return "".join(
        REPLACEMENT if letter == "\x00" or "\ud800" <= letter <= "\udfff" else letter
        for letter in value
    )


def document(value: Any) -> Any:
    """Return a JSON value whose texts, names too, are storable."""
    match value:
        case str():
            return text(value)
        case Mapping():
            return {text(str(name)): document(inner) for name, inner in value.items()}
        case list() | tuple():
            return [document(inner) for inner in value]
        case _:
            return value
