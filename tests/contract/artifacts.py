"""Small artifacts of every shape, and putting them into a content store."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from protocol import media_types
from protocol.content import ContentStore, RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Algorithm, Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Bytes with their descriptor."""

    descriptor: Descriptor
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A manifest with the blobs that it needs."""

    manifest: RawManifest
    blobs: tuple[Blob, ...]


def blob(
    body: bytes,
    *,
    media_type: str = media_types.OCI_LAYER,
    algorithm: Algorithm = Algorithm.SHA256,
) -> Blob:
    digest = Digest.of(body, algorithm)
    return Blob(
        descriptor=Descriptor(media_type=media_type, digest=digest, size_bytes=len(body)),
        body=body,
    )


def image(*layers: Blob, subject: RawManifest | None = None, label: str = "") -> Image:
    """An OCI image; one with a subject is a signature of it."""
    config = blob(json.dumps({"label": label}).encode(), media_type=media_types.OCI_CONFIG)
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": _json(config.descriptor),
        "layers": [_json(layer.descriptor) for layer in layers],
    }
    if subject is not None:
        document["subject"] = _json(subject.descriptor)
        document["artifactType"] = "application/vnd.example.signature"
        document["annotations"] = {"org.example.label": label}
    return Image(manifest=_raw(document, media_types.OCI_MANIFEST), blobs=(config, *layers))


def index(*children: RawManifest) -> RawManifest:
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [_json(child.descriptor) for child in children],
    }
    return _raw(document, media_types.OCI_INDEX)


async def put_blob(store: ContentStore, wanted: Blob) -> None:
    upload = await store.begin_blob(wanted.descriptor)
    if upload is not None:
        await upload.send(once(wanted.body[upload.offset_bytes :]))


async def put_image(store: ContentStore, wanted: Image, *, tag: str | None = None) -> None:
    for part in wanted.blobs:
        await put_blob(store, part)
    await store.write_manifest(wanted.manifest, tag=tag)


async def get_blob(store: ContentStore, wanted: Descriptor, *, offset_bytes: int = 0) -> bytes:
    async with store.read_blob(wanted, offset_bytes=offset_bytes) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def all_tags(store: ContentStore) -> list[str]:
    return sorted([tag async for page in store.tags() for tag in page])


async def once(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _raw(document: dict[str, Any], media_type: str) -> RawManifest:
    # Odd white space: whoever serialises it anew changes the digest.
    body = json.dumps(document, indent=3, separators=(" ,", " : ")).encode() + b"\n"
    return RawManifest(media_type=media_type, digest=Digest.of(body), body=body)


def _json(descriptor: Descriptor) -> dict[str, Any]:
    return {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size_bytes,
    }
