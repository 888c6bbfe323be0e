"""What retention is told about an artifact of a repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from protocol import media_types


class Type(StrEnum):
    """What an artifact is, as rules ask for it."""

    IMAGE = "image"
    INDEX = "index"
    CHART = "chart"
    OTHER = "other"


NOTHING_SAID: Final[Mapping[str, str]] = MappingProxyType({})
_OF_IMAGES: Final = frozenset({None, "", media_types.OCI_CONFIG, media_types.DOCKER_CONFIG})


# These two are tuples: one is made of each artifact and tag of a repository, and a frozen dataclass
# takes four times as long.
class Tag(NamedTuple):
    """A tag and its times; `immutable` names what forbids to delete it, or is empty."""

    name: str
    pushed_at: datetime | None
    pulled_at: datetime | None = None
    used_at: datetime | None = None
    immutable: str = ""


class Artifact(NamedTuple):
    """A manifest with its tags, or with some of them: what follows with the same id has the others.

    `pushed_at` is None where a registry cannot tell; then a rule that asks for it is refused.
    `parents` are ids of the indexes of its repository that name it, `subject` is the digest it
    refers to. `size_bytes` is what it weighs itself: manifest, config and layers. `annotations`
    are what it says of itself. `labels` are names that people gave it, `platforms` what it is for
    (os/architecture[/variant]); those and `pushed_by` are None where nobody looked. `held` says
    what forbids to delete it, or is empty.
    """

    id: int
    digest: str
    pushed_at: datetime | None
    media_type: str = media_types.OCI_MANIFEST
    tags: Sequence[Tag] = ()
    pulled_at: datetime | None = None
    used_at: datetime | None = None
    size_bytes: int = 0
    artifact_type: str | None = None
    config_media_type: str | None = None
    annotations: Mapping[str, str] = NOTHING_SAID
    labels: frozenset[str] | None = None
    platforms: Sequence[str] | None = None
    pushed_by: str | None = None
    parents: Sequence[int] = ()
    subject: str | None = None
    held: str = ""

    @property
    def type(self) -> Type:
        """What it is: told by its media types."""
        if self.media_type in media_types.INDEXES:
            return Type.INDEX
        if self.config_media_type == media_types.HELM_CONFIG:
            return Type.CHART
        if self.artifact_type in _OF_IMAGES and self.config_media_type in _OF_IMAGES:
            return Type.IMAGE
        return Type.OTHER
