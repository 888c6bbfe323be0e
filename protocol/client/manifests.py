"""Manifests over the wire: their exact bytes, verified (distribution-spec, Pulling Manifests)."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from protocol import media_types
from protocol.client.exchange import Call, Exchange, Reply
from protocol.client.paths import Paths
from protocol.content import MANIFEST_LIMIT_BYTES, RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest, is_digest
from protocol.errors import (
    Denied,
    DigestMismatch,
    InvalidDigest,
    InvalidManifest,
    ManifestTooLarge,
    Rejected,
    SizeMismatch,
    Unsupported,
)

ACCEPT = {"Accept": ", ".join(media_types.ACCEPTED)}
_WRITTEN = frozenset({200, 201, 202, 204})
_DELETED = frozenset({200, 202, 204})
# What registries answer 400 with when they delete by digest only (docker-registry 2).
_NO_TAG_DELETE = frozenset({"DIGEST_INVALID", "UNSUPPORTED", "TAG_INVALID"})


class Manifests:
    """Reads and writes the manifests of one repository."""

    def __init__(self, exchange: Exchange, paths: Paths) -> None:
        self._exchange = exchange
        self._paths = paths

    async def resolve(self, reference: str) -> Descriptor:
        """Return a manifest's descriptor by HEAD, by GET where HEAD is not enough."""
        try:
            reply = await self._exchange.read(self._call("resolve", "HEAD", reference))
        except (Denied, Unsupported, Rejected):
            # Some registries allow, or know, GET only.
            return (await self.read(reference)).descriptor
        found = _descriptor(reply.headers)
        if found is None:
            return (await self.read(reference)).descriptor
        if is_digest(reference) and str(found.digest) != reference:
            raise DigestMismatch(expected=reference, actual=str(found.digest))
        return found

    async def read(self, reference: str) -> RawManifest:
        """Return a manifest, verified; raise ManifestTooLarge, DigestMismatch, SizeMismatch."""
        manifest, _ = await self.read_with_etag(reference)
        return manifest

    async def read_with_etag(self, reference: str) -> tuple[RawManifest, str | None]:
        """Return a manifest, verified, and its ETag where the registry gives one."""
        call = self._call("read manifest", "GET", reference)
        reply = await self._exchange.read(call, limit_bytes=MANIFEST_LIMIT_BYTES)
        if len(reply.body) > MANIFEST_LIMIT_BYTES:
            raise ManifestTooLarge(limit_bytes=MANIFEST_LIMIT_BYTES)
        return _verified(reference, reply), reply.headers.get("ETag")

    async def write(
        self, manifest: RawManifest, reference: str, *, if_match: str | None = None
    ) -> Mapping[str, str]:
        """Put a manifest; return the answer's headers, their digest compared with ours.

        With `if_match` (an ETag) it is put only over what was read before; raise Rejected (412).
        """
        call = self._call("write manifest", "PUT", reference)
        call.headers = {"Content-Type": manifest.media_type}
        if if_match is not None:
            call.headers = {**call.headers, "If-Match": if_match}
        call.body = manifest.body
        call.scope = self._paths.push
        call.expected = _WRITTEN
        reply = await self._exchange.read(call)
        answered = _digest(reply.headers)
        if answered is not None and answered.algorithm is manifest.digest.algorithm:
            _compare(manifest.digest, answered)
        return reply.headers

    async def delete(self, digest: Digest) -> None:
        """Delete a manifest and all its tags."""
        call = self._call("delete manifest", "DELETE", str(digest))
        call.scope = self._paths.delete
        call.expected = _DELETED
        await self._exchange.read(call)

    async def delete_tag(self, tag: str) -> None:
        """Delete a tag alone; raise Unsupported where the registry cannot."""
        call = self._call("delete tag", "DELETE", tag)
        call.scope = self._paths.delete
        call.expected = _DELETED
        try:
            await self._exchange.read(call)
        except Rejected as error:
            if not _NO_TAG_DELETE.intersection(fault.code for fault in error.faults):
                raise
            raise Unsupported(
                "this registry deletes whole manifests only, not tags",
                operation=error.operation,
                url=error.url,
                status=error.status,
                faults=error.faults,
            ) from error

    def _call(self, operation: str, method: str, reference: str) -> Call:
        return Call(
            operation=operation,
            method=method,
            url=self._exchange.url(self._paths.manifest(reference)),
            kind="manifest",
            scope=self._paths.pull,
            headers=ACCEPT,
        )


def _descriptor(headers: Mapping[str, str]) -> Descriptor | None:
    """Read a HEAD's answer; None when anything is missing or odd."""
    digest = _digest(headers)
    media_type = media_types.bare(headers.get("Content-Type", ""))
    length = headers.get("Content-Length", "")
    if digest is None or media_type not in media_types.MANIFESTS or not length.isdigit():
        return None
    return Descriptor(media_type=media_type, digest=digest, size_bytes=int(length))


def _digest(headers: Mapping[str, str]) -> Digest | None:
    text = headers.get("Docker-Content-Digest")
    if not text:
        return None
    try:
        return Digest.parse(text.strip())
    except InvalidDigest:
        return None


def _verified(reference: str, reply: Reply) -> RawManifest:
    length = reply.headers.get("Content-Length", "")
    if length.isdigit() and int(length) != len(reply.body):
        raise SizeMismatch(expected_bytes=int(length), actual_bytes=len(reply.body))
    media_type = _media_type(reply)
    if media_type in media_types.SCHEMA1:
        raise InvalidManifest(
            f"{reference} is a Docker schema 1 manifest: its digest covers only a part of it and "
            "no registry takes it any more; rebuild or convert the image at its source"
        )
    claimed = _digest(reply.headers)
    if is_digest(reference):
        digest = Digest.parse(reference)
        digest.verify(reply.body)
        if claimed is not None and claimed.algorithm is digest.algorithm:
            _compare(digest, claimed)
    else:
        digest = claimed or Digest.of(reply.body)
        digest.verify(reply.body)
    return RawManifest(media_type=media_type, digest=digest, body=reply.body)


def _media_type(reply: Reply) -> str:
    """Return what the manifest calls itself; the header's word where it says nothing."""
    received = media_types.bare(reply.headers.get("Content-Type", ""))
    try:
        value = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return received
    if not isinstance(value, dict):
        return received
    own = value.get("mediaType")
    if isinstance(own, str) and own:
        return own
    if received in media_types.MANIFESTS or received in media_types.SCHEMA1:
        return received
    if value.get("schemaVersion") == 1:
        return media_types.DOCKER_SCHEMA1
    return media_types.OCI_INDEX if "manifests" in value else media_types.OCI_MANIFEST


def _compare(expected: Digest, actual: Digest) -> None:
    if expected != actual:
        raise DigestMismatch(expected=str(expected), actual=str(actual))
