"""Uploads: begin, append, commit, ask, cancel (distribution-spec, Pushing blobs)."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from aiohttp import hdrs, web

from access.authorisation import Action
from protocol.digest import Algorithm, Digest
from protocol.errors import InvalidDigest
from registry.errors import refusal
from registry.http import blobs
from registry.http.exchange import Exchange
from registry.repository import Beginning
from registry.uploads import OpenUpload

_RANGE: Final = re.compile(r"(?:bytes[ =])?(\d{1,19})-(\d{1,19})(?:/.*)?")

_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def begin(exchange: Exchange) -> web.StreamResponse:
    """Open an upload, mount a blob, or take a whole one in one request."""
    query = exchange.request.query
    mount = Digest.parse(query["mount"]) if "mount" in query else None
    digest = Digest.parse(query["digest"]) if "digest" in query else None
    repository = exchange.repository
    beginning = Beginning(
        mount=mount,
        mount_from=exchange.text("from"),
        algorithm=digest.algorithm if digest else _algorithm(query.get("digest-algorithm")),
    )
    upload_id = await repository.begin_upload(beginning)
    if upload_id is None and mount is not None:
        return _created(exchange, mount)
    assert upload_id is not None  # noqa: S101 only a mount needs no upload
    if digest is None:
        return _accepted(exchange, upload_id, 0)
    async with repository.uploads.open(upload_id) as upload:
        await upload.append(exchange.body())
        await upload.commit(digest)
    return _created(exchange, digest)


async def append(exchange: Exchange) -> web.StreamResponse:
    """Append the body; with Content-Range it must begin where the upload stands."""
    await _may_push(exchange)
    upload_id = _upload_id(exchange)
    try:
        async with exchange.repository.uploads.open(upload_id) as upload:
            _check_range(exchange, upload)
            await upload.append(exchange.body())
    except _OutOfOrder as error:
        return _out_of_order(exchange, upload_id, error.offset_bytes)
    return _accepted(exchange, upload_id, upload.offset_bytes)


async def commit(exchange: Exchange) -> web.StreamResponse:
    """Append the body, if there is one, and make the upload a blob."""
    await _may_push(exchange)
    upload_id = _upload_id(exchange)
    digest = Digest.parse(exchange.request.query.get("digest", ""))
    try:
        async with exchange.repository.uploads.open(upload_id) as upload:
            if exchange.request.body_exists:
                _check_range(exchange, upload)
                await upload.append(exchange.body())
            await upload.commit(digest)
    except _OutOfOrder as error:
        return _out_of_order(exchange, upload_id, error.offset_bytes)
    return _created(exchange, digest)


async def status(exchange: Exchange) -> web.StreamResponse:
    """Say how far an upload got."""
    await _may_push(exchange)
    upload_id = _upload_id(exchange)
    offset_bytes = await exchange.repository.uploads.offset(upload_id)
    return web.Response(status=204, headers=_headers(exchange, upload_id, offset_bytes))


async def cancel(exchange: Exchange) -> web.StreamResponse:
    """End an upload without a blob."""
    await _may_push(exchange)
    upload_id = _upload_id(exchange)
    store = exchange.repository.uploads
    if not await store.cancel(upload_id):
        raise store.unknown(upload_id)
    return web.Response(status=204)


class _OutOfOrder(Exception):
    """A chunk that does not begin where the upload stands; the upload goes on."""

    def __init__(self, offset_bytes: int) -> None:
        super().__init__(offset_bytes)
        self.offset_bytes = offset_bytes


async def _may_push(exchange: Exchange) -> None:
    await exchange.repository.require(Action.PUSH)


def _check_range(exchange: Exchange, upload: OpenUpload) -> None:
    header = exchange.request.headers.get(hdrs.CONTENT_RANGE)
    if header is None:
        return
    match = _RANGE.fullmatch(header.strip())
    if match is None or int(match[1]) != upload.offset_bytes or int(match[2]) < int(match[1]):
        raise _OutOfOrder(upload.offset_bytes)
    length = exchange.request.content_length
    if length is not None and length != int(match[2]) - int(match[1]) + 1:
        raise refusal(
            "SIZE_INVALID",
            f"Content-Range {header!r} and Content-Length {length} disagree",
            operation="upload blob",
            repository=exchange.target.repository,
        )


def _algorithm(name: str | None) -> Algorithm:
    """Read the hint that lets us hash while the bytes come (distribution-spec 1.2)."""
    if name is None:
        return Algorithm.SHA256
    if name not in list(Algorithm):
        raise InvalidDigest(f"digest algorithm {name[:40]!r} is not supported")
    return Algorithm(name)


def _upload_id(exchange: Exchange) -> UUID:
    text = exchange.target.reference
    if not _ID.fullmatch(text):
        raise exchange.repository.uploads.unknown(text[:80])
    return UUID(text)


def _accepted(exchange: Exchange, upload_id: UUID, offset_bytes: int) -> web.Response:
    return web.Response(status=202, headers=_headers(exchange, upload_id, offset_bytes))


def _out_of_order(exchange: Exchange, upload_id: UUID, offset_bytes: int) -> web.Response:
    return web.Response(status=416, headers=_headers(exchange, upload_id, offset_bytes))


def _headers(exchange: Exchange, upload_id: UUID, offset_bytes: int) -> dict[str, str]:
    return {
        hdrs.LOCATION: f"/v2/{exchange.target.repository}/blobs/uploads/{upload_id}",
        hdrs.RANGE: f"0-{max(offset_bytes - 1, 0)}",
        "Docker-Upload-UUID": str(upload_id),
    }


def _created(exchange: Exchange, digest: Digest) -> web.Response:
    headers = {
        hdrs.LOCATION: blobs.location(exchange.target.repository, digest),
        "Docker-Content-Digest": str(digest),
    }
    return web.Response(status=201, headers=headers)
