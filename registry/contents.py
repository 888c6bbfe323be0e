"""What a manifest needs to be complete here, decided from its bytes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocol import manifest, media_types, referrers
from protocol.content import RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.errors import InvalidManifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """A manifest's needs, each digest once.

    `blobs` are (digest, role), `children` (digest, platform). `others` are index entries of no
    manifest type, which may be either. A subject need not exist (distribution-spec, Pushing
    Manifests with Subject), nor need foreign layers.
    """

    entry: Descriptor
    subject: Digest | None
    config_media_type: str | None
    blobs: Sequence[tuple[Digest, str]]
    children: Sequence[tuple[Digest, str | None]]
    others: Sequence[tuple[Digest, str | None]]


def read(raw: RawManifest) -> Contents:
    """Return what `raw` needs; raise InvalidManifest, or ManifestTooLarge."""
    parsed = manifest.parse(raw)
    received = media_types.bare(raw.media_type)
    if received and received != parsed.media_type:
        raise InvalidManifest(
            f"Content-Type is {received!r} and the manifest says {parsed.media_type!r}"
        )
    subject = parsed.subject.digest if parsed.subject else None
    entry = referrers.entry(raw)
    if isinstance(parsed, manifest.Index):
        return _of_index(parsed, entry, subject)
    blobs = {layer.digest: "layer" for layer in parsed.layers if not layer.is_foreign}
    blobs[parsed.config.digest] = "config"
    return Contents(
        entry=entry,
        subject=subject,
        config_media_type=parsed.config.media_type,
        blobs=list(blobs.items()),
        children=(),
        others=(),
    )


def _of_index(index: manifest.Index, entry: Descriptor, subject: Digest | None) -> Contents:
    children: dict[Digest, str | None] = {}
    others: dict[Digest, str | None] = {}
    for child in index.manifests:
        kind = children if child.is_manifest else others
        kind[child.digest] = str(child.platform) if child.platform else None
    return Contents(
        entry=entry,
        subject=subject,
        config_media_type=None,
        blobs=(),
        children=list(children.items()),
        others=[item for item in others.items() if item[0] not in children],
    )
