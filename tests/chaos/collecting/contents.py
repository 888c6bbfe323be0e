"""Content that is few and shared, so that what one deletes another pushes; it follows from numbers.

Blobs are everybody's. Manifests belong to one owner, whose number is in them.
"""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from protocol import media_types, referrers
from protocol.content import RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest

BLOBS = 160
IMAGES = 12
INDEXES = 6
REFERRERS = 6
SIGNATURES = 4


@functools.cache
def blob(number: int) -> bytes:
    """Return the bytes of a blob."""
    chance = random.Random(number)  # noqa: S311 - content, not secrets
    return chance.randbytes(chance.randint(100, 8000))


@functools.cache
def layer(number: int) -> Descriptor:
    """Return what a manifest says of a blob."""
    body = blob(number)
    return Descriptor(
        media_type=media_types.OCI_LAYER, digest=Digest.of(body), size_bytes=len(body)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A manifest and what it names. `signs`: by cosign's tag, `subject`: by its own field."""

    manifest: RawManifest
    blobs: Sequence[int] = ()
    children: Sequence[Digest] = ()
    subject: Digest | None = None
    signs: Digest | None = None

    @property
    def digest(self) -> Digest:
        return self.manifest.digest

    @property
    def accompanies(self) -> Digest | None:
        """With what it lives and dies."""
        return self.subject or self.signs

    @property
    def own_tag(self) -> str | None:
        """The tag that makes it a signature."""
        return referrers.cosign_tags(self.signs)[0] if self.signs else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Universe:
    """Everything that one owner may ever push."""

    images: Sequence[Artifact]
    indexes: Sequence[Artifact]
    companions: Sequence[Artifact]
    by_digest: Mapping[Digest, Artifact] = field(repr=False)


def universe(owner: int) -> Universe:
    """Return an owner's artifacts."""
    images = [_image(owner, number) for number in range(IMAGES)]
    indexes = [_index(owner, number, images) for number in range(INDEXES)]
    subjects = [*images, *indexes]
    companions = [
        _image(owner, 100 + n, subject=subjects[n * 3 % len(subjects)]) for n in range(REFERRERS)
    ]
    companions += [_image(owner, 200 + n, signs=images[n * 2]) for n in range(SIGNATURES)]
    # A referrer of a referrer goes when that goes.
    companions.append(_image(owner, 300, subject=companions[0]))
    everything = [*images, *indexes, *companions]
    return Universe(
        images=images,
        indexes=indexes,
        companions=companions,
        by_digest={one.digest: one for one in everything},
    )


def _image(
    owner: int, number: int, *, subject: Artifact | None = None, signs: Artifact | None = None
) -> Artifact:
    chance = random.Random(f"{owner} {number}")  # noqa: S311 - as above
    blobs = chance.sample(range(BLOBS), chance.randint(2, 4))
    config, *layers = (_to_json(layer(one)) for one in blobs)
    config["mediaType"] = media_types.OCI_CONFIG
    document = {"mediaType": media_types.OCI_MANIFEST, "config": config, "layers": layers}
    if subject is not None:
        document["subject"] = _to_json(subject.manifest.descriptor)
    return Artifact(
        manifest=_raw(document, owner, number),
        blobs=blobs,
        subject=subject.digest if subject else None,
        signs=signs.digest if signs else None,
    )


def _index(owner: int, number: int, images: Sequence[Artifact]) -> Artifact:
    """Neighbours share a child."""
    children = [images[number], images[number + 1]]
    entries = [_to_json(child.manifest.descriptor) for child in children]
    document = {"mediaType": media_types.OCI_INDEX, "manifests": entries}
    return Artifact(
        manifest=_raw(document, owner, number), children=[child.digest for child in children]
    )


def _raw(document: Mapping[str, object], owner: int, number: int) -> RawManifest:
    mark = {"schemaVersion": 2, "annotations": {"owner": f"{owner}", "number": f"{number}"}}
    body = json.dumps({**mark, **document}).encode()
    return RawManifest(media_type=str(document["mediaType"]), digest=Digest.of(body), body=body)


def _to_json(descriptor: Descriptor) -> dict[str, object]:
    return {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size_bytes,
    }
