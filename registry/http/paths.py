"""Which resource a /v2/ path names, read from the right: a repository may be called anything.

distribution-spec, Endpoints; a repository's components may be `blobs`, `manifests` or `uploads`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import unquote

PREFIX = "/v2/"


class Kind(Enum):
    """What a path names."""

    ROOT = auto()
    CATALOG = auto()
    BLOB = auto()
    MANIFEST = auto()
    UPLOADS = auto()
    UPLOAD = auto()
    TAGS = auto()
    REFERRERS = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A resource: its repository, and the digest, reference or upload id it is known by."""

    kind: Kind
    repository: str = ""
    reference: str = ""


_ITEMS = {"blobs": Kind.BLOB, "manifests": Kind.MANIFEST, "referrers": Kind.REFERRERS}


def parse(raw_path: str) -> Target | None:
    """Return what a path beneath /v2/ names; None for nothing we know."""
    path = unquote(raw_path.partition("?")[0])
    if path in {"/v2", PREFIX}:
        return Target(kind=Kind.ROOT)
    if path == "/v2/_catalog":
        return Target(kind=Kind.CATALOG)
    match path.removeprefix(PREFIX).split("/"):
        case [*name, "blobs", "uploads", ""] | [*name, "blobs", "uploads"]:
            kind, reference = Kind.UPLOADS, ""
        case [*name, "blobs", "uploads", reference]:
            kind = Kind.UPLOAD
        case [*name, "tags", "list"]:
            kind, reference = Kind.TAGS, ""
        case [*name, ("blobs" | "manifests" | "referrers") as item, reference]:
            kind = _ITEMS[item]
        case _:
            return None
    if not name:
        return None
    return Target(kind=kind, repository="/".join(name), reference=reference)
