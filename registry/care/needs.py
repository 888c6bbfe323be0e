"""A manifest of another registry's storage, and what has to be here before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from protocol import manifest
from protocol.content import RawManifest
from protocol.digest import Digest
from registry import contents


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """Blobs with the sizes that the manifest gives them, and manifests."""

    blobs: Mapping[Digest, int]
    children: Sequence[Digest]


def of(raw: RawManifest, *, revisions: frozenset[Digest]) -> Needs:
    """Return what a manifest needs; raise InvalidManifest or ManifestTooLarge.

    An entry of an index that is of no manifest type is one all the same if it is a revision.
    """
    accepted = contents.read(raw)
    parsed = manifest.parse(raw)
    if isinstance(parsed, manifest.Index):
        entries = {one.digest: one.size_bytes for one in parsed.manifests}
        others = [digest for digest, _ in accepted.others if digest not in revisions]
        children = [one for one in entries if one not in others]
        return Needs(blobs={digest: entries[digest] for digest in others}, children=children)
    sizes = {one.digest: one.size_bytes for one in (*parsed.layers, parsed.config)}
    return Needs(blobs={digest: sizes[digest] for digest, _ in accepted.blobs}, children=())
