"""What a manifest is made of: which parts must be at the destination before it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from protocol.descriptor import Descriptor
from protocol.manifest import Image, Index

DEPTH_LIMIT: Final = 32
_BLOB_TYPES: Final = (
    "application/vnd.oci.image.layer.",
    "application/vnd.oci.image.config.",
    "application/vnd.docker.image.rootfs.",
    "application/vnd.docker.container.image.",
    "application/vnd.buildkit.cacheconfig.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A manifest's children, each digest once. A subject is no child: it need not exist.

    `unknown` are index entries of types that may be manifests or blobs; only the source can tell.
    `foreign` are layers whose bytes registries need not hold: they are left out.
    """

    manifests: tuple[Descriptor, ...] = ()
    blobs: tuple[Descriptor, ...] = ()
    unknown: tuple[Descriptor, ...] = ()
    foreign: tuple[Descriptor, ...] = ()


def parts(document: Image | Index) -> Parts:
    """Return what a manifest refers to."""
    if isinstance(document, Image):
        pieces = _once((document.config, *document.layers))
        return Parts(
            blobs=tuple(piece for piece in pieces if not piece.is_foreign),
            foreign=tuple(piece for piece in pieces if piece.is_foreign),
        )
    entries = _once(document.manifests)
    blobs = tuple(entry for entry in entries if entry.media_type.startswith(_BLOB_TYPES))
    return Parts(
        manifests=tuple(entry for entry in entries if entry.is_manifest),
        blobs=blobs,
        unknown=tuple(e for e in entries if not e.is_manifest and e not in blobs),
    )


def _once(descriptors: Iterable[Descriptor]) -> tuple[Descriptor, ...]:
    unique: dict[object, Descriptor] = {}
    for descriptor in descriptors:
        unique.setdefault(descriptor.digest, descriptor)
    return tuple(unique.values())
