"""Putting the demo's artifacts into a repository, and proving that they arrived as they were."""

from __future__ import annotations

from collections.abc import AsyncIterator

from jobservice.demo.artifacts import Artifact, Blob
from jobservice.demo.errors import NotAsPromised
from protocol.content import ContentSource, ContentStore, RawManifest
from protocol.digest import Digest


async def push(artifact: Artifact, store: ContentStore) -> int:
    """Push blobs, then manifests children first, then the referrers; return the bytes it took.

    Only blobs count: what the registry has already is not sent.
    """
    sent_bytes = 0
    for blob in artifact.blobs:
        upload = await store.begin_blob(blob.descriptor, mount_from=store.repository)
        if upload is not None:
            await upload.send(_rest(blob, upload.offset_bytes))
            sent_bytes += blob.descriptor.size_bytes
    for manifest in artifact.manifests[:-1]:
        await store.write_manifest(manifest)
    await store.write_manifest(artifact.root, tag=artifact.tag)
    for referrer in artifact.referrers:
        await store.write_manifest(referrer)
    return sent_bytes


async def verify(artifact: Artifact, source: ContentSource) -> int:
    """Return how many manifests were compared, byte for byte; raise NotAsPromised at a difference.

    Every blob is read whole and hashed, and the referrers must be listed under their subject.
    """
    tagged = await source.read_manifest(artifact.tag)
    _same(artifact, artifact.root, tagged)
    for manifest in (*artifact.manifests, *artifact.referrers):
        _same(artifact, manifest, await source.read_manifest(str(manifest.digest)))
    for blob in artifact.blobs:
        async with source.read_blob(blob.descriptor) as chunks:
            body = b"".join([chunk async for chunk in chunks])
        if Digest.of(body) != blob.descriptor.digest:
            raise NotAsPromised(f"{_name(artifact)}: blob {blob.descriptor.digest} has other bytes")
    await _check_referrers(artifact, source)
    return len(artifact.manifests) + len(artifact.referrers)


async def _check_referrers(artifact: Artifact, source: ContentSource) -> None:
    listed = {found.digest async for found in source.referrers(artifact.root.digest)}
    wanted = {referrer.digest for referrer in artifact.referrers}
    if listed != wanted:
        raise NotAsPromised(
            f"{_name(artifact)}: {len(listed)} referrers are listed, not the {len(wanted)} it has"
        )


def _same(artifact: Artifact, wanted: RawManifest, found: RawManifest) -> None:
    if found.body != wanted.body or found.media_type != wanted.media_type:
        raise NotAsPromised(
            f"{_name(artifact)}: manifest {wanted.digest} differs from the original"
        )


def _name(artifact: Artifact) -> str:
    return f"{artifact.repository}:{artifact.tag}"


async def _rest(blob: Blob, offset_bytes: int) -> AsyncIterator[bytes]:
    yield blob.body[offset_bytes:]
