"""Blobs: pull and delete (distribution-spec, Pulling blobs, Deleting Blobs)."""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs, web

from protocol.digest import Digest
from registry.http import conditions
from registry.http.exchange import Exchange

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
    """Send a blob, or a range of it; from the file by sendfile where there is one."""
    digest = exchange.digest
    blob = await exchange.repository.find_blob(digest)
    if conditions.not_modified(exchange.request, digest):
        return web.Response(status=304, headers=_headers(digest))
    path = exchange.registry.local_path(blob.storage_key)
    if not path.is_file():  # FileResponse would say 404, as if nobody had ever pushed it
        raise exchange.repository.lost(digest)
    return web.FileResponse(path, headers=_headers(digest), chunk_size=1024 * 1024)


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
