"""Blobs: pull and delete (distribution-spec, Pulling blobs, Deleting Blobs)."""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs, web

from protocol.digest import Digest
from registry.http import conditions, ranges
from registry.http.exchange import Exchange
from registry.metadata.blobs import Blob
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
    match await exchange.repository.objects.sending(blob, digest):
        case LocalFile(path=path):
            return web.FileResponse(path, headers=_headers(digest), chunk_size=1024 * 1024)
        case Redirect(url=url):
            headers = {hdrs.LOCATION: url, hdrs.CACHE_CONTROL: "no-store"}
            return web.Response(status=307, headers=headers)
        case None:
            return await _stream(exchange, blob, digest)


async def _stream(exchange: Exchange, blob: Blob, digest: Digest) -> web.StreamResponse:
    """Pass a blob on as it comes, whole or one range of it (RFC 9110, 14)."""
    request, size_bytes = exchange.request, blob.size_bytes
    wanted = ranges.of(request.headers.get(hdrs.RANGE), size_bytes)
    if wanted is None:
        headers = {hdrs.CONTENT_RANGE: f"bytes */{size_bytes}"}
        return web.Response(status=416, headers=headers)
    response = web.StreamResponse(status=206 if wanted.is_part else 200, headers=_headers(digest))
    response.content_length = wanted.length_bytes
    if wanted.is_part:
        last = wanted.offset_bytes + wanted.length_bytes - 1
        response.headers[hdrs.CONTENT_RANGE] = f"bytes {wanted.offset_bytes}-{last}/{size_bytes}"
    async with exchange.repository.objects.open(
        blob, digest, offset_bytes=wanted.offset_bytes, length_bytes=wanted.length_bytes
    ) as chunks:
        await response.prepare(request)
        async for chunk in chunks:
            await response.write(chunk)
    await response.write_eof()
    return response


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
