"""Blobs: pull and delete (distribution-spec, Pulling blobs, Deleting Blobs)."""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs, web

from protocol.digest import Digest
from registry.http import conditions, ranges
from registry.http.exchange import Exchange
from registry.http.sending import Sending
from registry.storage.driver import LocalFile, Redirect

OCTET_STREAM: Final = "application/octet-stream"


async def head(exchange: Exchange) -> web.StreamResponse:
    """Say that a blob is there, and keep it for whoever was told so."""
    digest = exchange.digest
    blob = await exchange.repository.find_blob(digest, renew=True)
    if conditions.not_modified(exchange.request, digest):
        return web.Response(status=304, headers=_headers(digest))
    headers = {**_headers(digest), hdrs.CONTENT_LENGTH: str(blob.size_bytes)}
    return web.Response(headers=headers)


async def get(exchange: Exchange) -> web.StreamResponse:
    """Send a blob, or a range of it; by sendfile where it is a file here."""
    digest = exchange.digest
    blob = await exchange.repository.find_blob(digest)
    if conditions.not_modified(exchange.request, digest):
        return web.Response(status=304, headers=_headers(digest))
    way = await exchange.repository.objects.sending(blob, digest)
    if isinstance(way, Redirect):
        headers = {hdrs.LOCATION: way.url, hdrs.CACHE_CONTROL: "no-store"}
        return web.Response(status=307, headers=headers)
    wanted = ranges.of(conditions.range_of(exchange.request, digest), blob.size_bytes)
    if wanted is None:
        headers = {hdrs.CONTENT_RANGE: f"bytes */{blob.size_bytes}"}
        return web.Response(status=416, headers=headers)
    sending = Sending(
        request=exchange.request,
        objects=exchange.repository.objects,
        blob=blob,
        digest=digest,
        wanted=wanted,
        headers=_headers(digest),
        silence_seconds=exchange.bodies.silence_seconds,
    )
    if isinstance(way, LocalFile) and not sending.is_encrypted:
        return await sending.from_file(way.path)
    return await sending.streamed()


async def delete(exchange: Exchange) -> web.StreamResponse:
    """Take a blob from its repository."""
    await exchange.repository.delete_blob(exchange.digest)
    return web.Response(status=202)


def location(repository: str, digest: Digest) -> str:
    """Return where a blob is pulled from."""
    return f"/v2/{repository}/blobs/{digest}"


def _headers(digest: Digest) -> dict[str, str]:
    return {
        hdrs.CONTENT_TYPE: OCTET_STREAM,
        hdrs.ETAG: f'"{digest}"',
        hdrs.CACHE_CONTROL: conditions.FOR_EVER,
        hdrs.ACCEPT_RANGES: "bytes",
        "Docker-Content-Digest": str(digest),
    }
