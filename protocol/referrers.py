"""Referrers: artifacts that point to a subject, and the tags that stand in without the API.

distribution-spec v1.1, Listing Referrers and Referrers Tag Schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final

from protocol import manifest, media_types
from protocol.content import RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Algorithm, Digest
from protocol.errors import InvalidManifest

COSIGN_SUFFIXES: Final = ("sig", "att", "sbom")
_ALGORITHM_LIMIT: Final = 32
_ENCODED_LIMIT: Final = 64
_FALLBACK_TAG: Final = re.compile(r"sha(?:256|512)-[a-f0-9]{64}")
_COSIGN_TAG: Final = re.compile(r"sha(?:256|512)-[a-f0-9]{64}\.(?:sig|att|sbom)")


def fallback_tag(subject: Digest) -> str:
    """Return the tag of the index that lists a subject's referrers where there is no API."""
    return f"{subject.algorithm[:_ALGORITHM_LIMIT]}-{subject.encoded[:_ENCODED_LIMIT]}"


def is_fallback_tag(tag: str) -> bool:
    """Say whether a tag belongs to the referrers tag schema."""
    return _FALLBACK_TAG.fullmatch(tag) is not None


def cosign_tags(subject: Digest) -> tuple[str, ...]:
    """Return the tags under which cosign v2 keeps signature, attestation and SBOM of a subject."""
    return tuple(f"{fallback_tag(subject)}.{suffix}" for suffix in COSIGN_SUFFIXES)


def is_companion_tag(tag: str) -> bool:
    """Say whether a tag only accompanies another artifact: a fallback tag or one of cosign's."""
    return is_fallback_tag(tag) or _COSIGN_TAG.fullmatch(tag) is not None


def subject_of_tag(tag: str) -> Digest | None:
    """Return what a companion tag accompanies; None where the tag does not say it in full."""
    if not is_companion_tag(tag):
        return None
    algorithm, _, rest = tag.partition("-")
    # A sha512 is cut to half its length in the tag.
    text = f"{algorithm}:{rest.partition('.')[0]}"
    return Digest.parse(text) if algorithm == Algorithm.SHA256 else None


def entry(raw: RawManifest) -> Descriptor:
    """Return what a list of referrers says of a manifest; raise InvalidManifest.

    The artifact type is the manifest's own, or its config's media type; annotations are copied.
    """
    parsed = manifest.parse(raw)
    artifact_type = parsed.artifact_type
    if not artifact_type and isinstance(parsed, manifest.Image):
        artifact_type = parsed.config.media_type
    return Descriptor(
        media_type=parsed.media_type,
        digest=raw.digest,
        size_bytes=len(raw.body),
        artifact_type=artifact_type or None,
        annotations=parsed.annotations,
    )


def merge(existing: RawManifest | None, referrer: Descriptor) -> RawManifest:
    """Return the fallback index with `referrer` in it, once; `existing` itself if nothing changes.

    Entries and fields that others wrote stay as they are. Raise InvalidManifest when the tag holds
    something other than an index: then it is not ours to write.
    """
    document = _document(existing)
    added = _to_json(referrer)
    others = [e for e in document["manifests"] if e.get("digest") != added["digest"]]
    if existing is not None and len(others) < len(document["manifests"]):
        present = [e for e in document["manifests"] if e.get("digest") == added["digest"]]
        if present == [added]:
            return existing
    return _render({**document, "manifests": [*others, added]})


def without(existing: RawManifest, referrer: Digest) -> RawManifest:
    """Return the fallback index without `referrer`; `existing` itself if it is not in it."""
    document = _document(existing)
    remaining = [e for e in document["manifests"] if e.get("digest") != str(referrer)]
    if len(remaining) == len(document["manifests"]):
        return existing
    return _render({**document, "manifests": remaining})


def render(referrers: Iterable[Descriptor]) -> RawManifest:
    """Return an index of referrers, as the referrers API answers."""
    entries = [_to_json(referrer) for referrer in referrers]
    return _render({**_document(None), "manifests": entries})


def with_artifact_type(
    referrers: Iterable[Descriptor], artifact_type: str | None
) -> tuple[Descriptor, ...]:
    """Return the referrers of one artifact type, or all for None; registries may not filter."""
    return tuple(r for r in referrers if artifact_type is None or r.artifact_type == artifact_type)


def _document(existing: RawManifest | None) -> dict[str, Any]:
    if existing is None:
        return {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": []}
    if not isinstance(manifest.parse(existing), manifest.Index):
        raise InvalidManifest(
            f"the referrers tag holds {existing.digest}, which is an image and not an index: "
            "remove or rename that tag"
        )
    document = manifest.load(existing.body)
    return {**document, "manifests": document.get("manifests") or []}


def _to_json(referrer: Descriptor) -> dict[str, Any]:
    value: dict[str, Any] = {
        "mediaType": referrer.media_type,
        "digest": str(referrer.digest),
        "size": referrer.size_bytes,
    }
    if referrer.artifact_type:
        value["artifactType"] = referrer.artifact_type
    if referrer.annotations:
        value["annotations"] = dict(referrer.annotations)
    return value


def _render(document: dict[str, Any]) -> RawManifest:
    body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    media_type = document.get("mediaType") or media_types.OCI_INDEX
    return RawManifest(media_type=media_type, digest=Digest.of(body), body=body)
