"""Descriptors: a typed, sized, hashed pointer to content (image-spec, descriptor.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from protocol import media_types
from protocol.digest import Digest
from protocol.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What a manifest says of one piece of content."""

    media_type: str
    digest: Digest
    size_bytes: int
    artifact_type: str | None = None
    platform: Platform | None = None
    urls: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def is_manifest(self) -> bool:
        """Whether it points to an image or index manifest."""
        return self.media_type in media_types.MANIFESTS

    @property
    def is_foreign(self) -> bool:
        """Whether it is a layer that registries need not hold."""
        return self.media_type in media_types.FOREIGN_LAYERS
