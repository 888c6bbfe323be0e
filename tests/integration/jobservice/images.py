"""Images of made-up layers, pushed into any content store."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from protocol import media_types
from protocol.content import ContentStore, RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest


async def push(store: ContentStore, tag: str | None, *layers: bytes) -> Digest:
    """Push an image of these layers; its config is its own."""
    config = json.dumps([tag, *(str(Digest.of(layer)) for layer in layers)]).encode()
    parts = [
        descriptor(config, media_types.OCI_CONFIG),
        *(descriptor(layer, media_types.OCI_LAYER) for layer in layers),
    ]
    for content, part in zip((config, *layers), parts, strict=True):
        upload = await store.begin_blob(part)
        if upload is not None:
            await upload.send(whole(content))
    named = [
        {"mediaType": one.media_type, "digest": str(one.digest), "size": one.size_bytes}
        for one in parts
    ]
    image = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": named[0],
        "layers": named[1:],
    }
    body = json.dumps(image).encode()
    digest = Digest.of(body)
    manifest = RawManifest(media_type=media_types.OCI_MANIFEST, body=body, digest=digest)
    await store.write_manifest(manifest, tag=tag)
    return digest


def described(media_type: str, digest: str, size_bytes: int) -> Descriptor:
    """Return what a manifest says of a blob."""
    return Descriptor(media_type=media_type, digest=Digest.parse(digest), size_bytes=size_bytes)


def descriptor(content: bytes, media_type: str) -> Descriptor:
    """Return what refers to a blob."""
    return Descriptor(media_type=media_type, digest=Digest.of(content), size_bytes=len(content))


async def whole(content: bytes) -> AsyncIterator[bytes]:
    """Yield it in one piece."""
    yield content
