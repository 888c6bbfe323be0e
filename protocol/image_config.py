"""What an image's config says of it (image-spec, config.md): its labels, and what it is for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from protocol.errors import InvalidConfig
from protocol.platform import Platform

LIMIT_BYTES: Final = 1024 * 1024
LABELS_LIMIT: Final = 1000
KEY_LENGTH: Final = 256
VALUE_LENGTH: Final = 4096
_VALUES_LIMIT: Final = 100_000
_ODD: Final = re.compile("[\x00\ud800-\udfff]")
_SEPARATORS: Final = (b",", b"{", b"[")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """What `LABEL` in a Dockerfile says, and the platform; None where it names none.

    What is longer than KEY_LENGTH or VALUE_LENGTH, and what follows the first LABELS_LIMIT labels,
    is left out.
    """

    labels: Mapping[str, str]
    platform: Platform | None

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a config; raise InvalidConfig."""
        document = _load(body)
        inner = document.get("config")
        return cls(labels=dict(_labels(inner)), platform=_platform(document))


def want_size(size_bytes: int) -> None:
    """Raise InvalidConfig for one that is too large to be read."""
    if size_bytes > LIMIT_BYTES:
        raise InvalidConfig(f"has {size_bytes} bytes, more than {LIMIT_BYTES}")


def _load(body: bytes) -> dict[str, Any]:
    want_size(len(body))
    if sum(map(body.count, _SEPARATORS)) > _VALUES_LIMIT:
        raise InvalidConfig(f"holds more than {_VALUES_LIMIT} values")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidConfig("is not JSON") from None
    if not isinstance(document, dict):
        raise InvalidConfig("is not a JSON object")
    return document


def _labels(inner: object) -> Iterator[tuple[str, str]]:
    found = inner.get("Labels") if isinstance(inner, dict) else None
    named = list(found.items())[:LABELS_LIMIT] if isinstance(found, dict) else ()
    for key, value in named:
        if _is_text(key, KEY_LENGTH) and _is_text(value, VALUE_LENGTH):
            yield key, value


def _is_text(text: object, limit: int) -> bool:
    """Say whether it is a text that can be kept: no NUL, no half of a surrogate pair."""
    return isinstance(text, str) and len(text) <= limit and not _ODD.search(text)


def _platform(document: Mapping[str, Any]) -> Platform | None:
    os, architecture, variant = (
        _word(document, name) for name in ("os", "architecture", "variant")
    )
    if not (os and architecture):
        return None
    return Platform(os=os, architecture=architecture, variant=variant)


def _word(document: Mapping[str, Any], name: str) -> str | None:
    found = document.get(name)
    return found if isinstance(found, str) and _is_text(found, KEY_LENGTH) else None
