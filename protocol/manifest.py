"""Manifests read strictly: an image, or an index of manifests (image-spec v1.1, Docker schema 2).

What is read here decides what is copied; the bytes themselves always travel unchanged. Unknown
fields are ignored and unknown media types are fine, as the spec demands of whoever only copies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from protocol import content, media_types
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.errors import InvalidDigest, InvalidManifest, ManifestTooLarge
from protocol.platform import Platform

DEPTH_LIMIT: Final = 64
# An index of 12,000 images has as many; `[{},{},…]` takes 25 times its length in memory.
VALUES_LIMIT: Final = 100_000
_SIZE_LIMIT_BYTES: Final = 2**63 - 1
_SCHEMA_VERSION: Final = 2
_SEPARATORS: Final = (b",", b"{", b"[")
_UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A manifest with a config and layers: an image, a Helm chart or any artifact."""

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A manifest that lists others: images, further indexes, and now and then blobs."""

    media_type: str
    manifests: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)


def parse(raw: content.RawManifest) -> Image | Index:
    """Read a manifest; raise InvalidManifest with the place and the reason, or ManifestTooLarge.

    The body's `mediaType` counts; where it has none, the type it came with, then its fields.
    """
    document = load(raw.body)
    media_type = _media_type(document, raw.media_type)
    common: dict[str, Any] = {
        "media_type": media_type,
        "subject": _optional_descriptor(document, "subject"),
        "artifact_type": _optional_text(document, "artifactType", "manifest"),
        "annotations": _annotations(document, "manifest"),
    }
    if media_type in media_types.INDEXES:
        return Index(manifests=_descriptors(document, "manifests"), **common)
    config = _optional_descriptor(document, "config")
    if config is None:
        raise InvalidManifest("the manifest has no config")
    return Image(config=config, layers=_descriptors(document, "layers"), **common)


def load(body: bytes) -> dict[str, Any]:
    """Return a manifest's JSON object; refuse duplicate keys, NaN and deep nesting."""
    if len(body) > content.MANIFEST_LIMIT_BYTES:
        raise ManifestTooLarge(limit_bytes=content.MANIFEST_LIMIT_BYTES)
    if sum(map(body.count, _SEPARATORS)) > VALUES_LIMIT:
        raise InvalidManifest(f"the manifest holds more than {VALUES_LIMIT} values")
    try:
        document = json.loads(
            body.decode("utf-8"), object_pairs_hook=_unique_keys, parse_constant=_no_constant
        )
    except RecursionError:
        raise InvalidManifest(f"the manifest nests deeper than {DEPTH_LIMIT} levels") from None
    except InvalidManifest:
        raise
    except ValueError as error:
        raise InvalidManifest(f"the manifest is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise InvalidManifest(f"the manifest is {_shape(document)}, not an object")
    _check_depth(document)
    return document


def _media_type(document: dict[str, Any], received: str) -> str:
    received = media_types.bare(received)
    declared = media_types.bare(_optional_text(document, "mediaType", "manifest") or "")
    version = document.get("schemaVersion")
    if version == 1 or declared in media_types.SCHEMA1 or received in media_types.SCHEMA1:
        raise InvalidManifest(
            "the manifest is Docker schema 1, which is not copied: push the image again with a "
            "current client to give it a schema 2 or OCI manifest"
        )
    if version != _SCHEMA_VERSION or isinstance(version, bool):
        raise InvalidManifest(f"schemaVersion is {version!r}, not 2")
    if declared and declared not in media_types.MANIFESTS:
        raise InvalidManifest(f"{declared[:200]!r} is not the media type of a manifest")
    media_type = declared or (received if received in media_types.MANIFESTS else _infer(document))
    _check_unambiguous(document, media_type)
    return media_type


def _infer(document: dict[str, Any]) -> str:
    """Tell an old OCI manifest without `mediaType` by its fields."""
    if "manifests" in document:
        return media_types.OCI_INDEX
    if "config" in document:
        return media_types.OCI_MANIFEST
    raise InvalidManifest("the manifest has neither mediaType nor manifests nor config")


def _check_unambiguous(document: dict[str, Any], media_type: str) -> None:
    """Refuse a document that is an image to one reader and an index to another (CVE-2021-41190)."""
    foreign = ("config", "layers") if media_type in media_types.INDEXES else ("manifests",)
    for name in foreign:
        if document.get(name) is not None:
            raise InvalidManifest(f"a manifest of type {media_type} must not have {name!r}")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        ordered = sorted(name for name, _ in pairs)
        twice = next(name for name, following in pairwise(ordered) if name == following)
        raise InvalidManifest(f"the manifest says {twice[:80]!r} twice in one object")
    return document


def _no_constant(name: str) -> Any:
    raise InvalidManifest(f"the manifest is not JSON: it holds {name}")


def _check_depth(document: dict[str, Any]) -> None:
    level: list[Any] = [document]
    for _ in range(DEPTH_LIMIT):
        level = [
            child
            for value in level
            for child in (value.values() if isinstance(value, dict) else value)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise InvalidManifest(f"the manifest nests deeper than {DEPTH_LIMIT} levels")


def _descriptors(document: dict[str, Any], name: str) -> tuple[Descriptor, ...]:
    entries = _typed(document, name, list, "manifest") or []
    return tuple(_descriptor(entry, f"{name}[{i}]") for i, entry in enumerate(entries))


def _optional_descriptor(document: dict[str, Any], name: str) -> Descriptor | None:
    value = document.get(name)
    return None if value is None else _descriptor(value, name)


def _descriptor(value: Any, where: str) -> Descriptor:
    if not isinstance(value, dict):
        raise InvalidManifest(f"{where} is {_shape(value)}, not a descriptor")
    media_type = _optional_text(value, "mediaType", where)
    if media_type is None:
        raise InvalidManifest(f"{where} has no mediaType")
    return Descriptor(
        media_type=media_type,
        digest=_digest(value, where),
        size_bytes=_size(value, where),
        artifact_type=_optional_text(value, "artifactType", where),
        platform=_platform(value, where),
        urls=_texts(value, "urls", where),
        annotations=_annotations(value, where),
    )


def _digest(value: dict[str, Any], where: str) -> Digest:
    text = _optional_text(value, "digest", where)
    try:
        return Digest.parse(text or "")
    except InvalidDigest as error:
        raise InvalidManifest(f"{where}.digest: {error}") from None


def _size(value: dict[str, Any], where: str) -> int:
    size = value.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _SIZE_LIMIT_BYTES:
        shown = size if isinstance(size, int) else _shape(size)
        raise InvalidManifest(f"{where}.size is {shown}, not a number of bytes")
    return size


def _platform(value: dict[str, Any], where: str) -> Platform | None:
    platform = _typed(value, "platform", dict, where)
    if platform is None:
        return None
    where = f"{where}.platform"
    return Platform(
        os=_optional_text(platform, "os", where) or _UNKNOWN,
        architecture=_optional_text(platform, "architecture", where) or _UNKNOWN,
        variant=_optional_text(platform, "variant", where),
        os_version=_optional_text(platform, "os.version", where),
        os_features=_texts(platform, "os.features", where),
    )


def _annotations(value: dict[str, Any], where: str) -> dict[str, str]:
    annotations = _typed(value, "annotations", dict, where) or {}
    where = f"{where}.annotations"
    return {_text(key, where): _text(text, where) for key, text in annotations.items()}


def _texts(value: dict[str, Any], name: str, where: str) -> tuple[str, ...]:
    items = _typed(value, name, list, where) or []
    return tuple(_text(item, f"{where}.{name}") for item in items)


def _optional_text(value: dict[str, Any], name: str, where: str) -> str | None:
    text = value.get(name)
    return None if text is None else _text(text, f"{where}.{name}")


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise InvalidManifest(f"{where} is {_shape(value)}, not a string")
    # Neither a NUL nor half of a surrogate pair can be stored or sent on as text.
    if "\0" in value or (not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value)):
        raise InvalidManifest(f"{where} holds a character that is no text")
    return value


def _typed(value: dict[str, Any], name: str, kind: type, where: str) -> Any:
    """Return a field of that type, or None: Go writes an empty list or map as null."""
    found = value.get(name)
    if found is not None and not isinstance(found, kind):
        raise InvalidManifest(f"{where}.{name} is {_shape(found)}, not {_SHAPES[kind]}")
    return found


_SHAPES: Final = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "nothing",
}


def _shape(value: Any) -> str:
    return _SHAPES[type(value)]
