"""Manifests: pull, push and delete (distribution-spec, Pulling and Pushing Manifests)."""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs, web
from multidict import CIMultiDict

from access.authorisation import Action
from protocol import media_types
from protocol.content import RawManifest
from protocol.digest import Digest, is_digest
from registry import events, names
from registry.http import conditions, pieces
from registry.http.exchange import Exchange
from registry.metadata.manifests import Found

_TAGS_LIMIT: Final = 100
_URI_TOO_LONG: Final = 414


async def head(exchange: Exchange) -> web.StreamResponse:
    """Say what a tag or digest stands for."""
    found = await exchange.repository.find_manifest(exchange.target.reference, with_body=False)
    exchange.note_use(found)
    if conditions.not_modified(exchange.request, found.digest):
        return web.Response(status=304, headers=_headers(exchange, found))
    headers = {**_headers(exchange, found), hdrs.CONTENT_LENGTH: str(found.size_bytes)}
    return web.Response(headers=headers)


async def get(exchange: Exchange) -> web.StreamResponse:
    """Send a manifest as it was pushed, whatever Accept says: a digest names its bytes."""
    found = await exchange.repository.find_manifest(exchange.target.reference, with_body=True)
    is_known = conditions.not_modified(exchange.request, found.digest)
    exchange.note_use(found, is_pull=not is_known)
    if is_known:
        return web.Response(status=304, headers=_headers(exchange, found))
    exchange.acted(events.Action.PULL)
    headers = _headers(exchange, found)
    if found.body is not None:
        return web.Response(body=found.body, headers=headers)
    response = web.StreamResponse(headers=headers)
    await pieces.begin(
        exchange.request,
        response,
        length_bytes=found.size_bytes,
        silence_seconds=exchange.bodies.silence_seconds,
    )
    async for piece in exchange.repository.pieces(found):
        await response.write(piece)
    await response.write_eof()
    return response


async def put(exchange: Exchange) -> web.StreamResponse:
    """Accept a manifest under its digest, a tag, or its digest and several tags."""
    repository = exchange.repository
    await repository.require(Action.PUSH)
    tags = exchange.request.query.getall("tag", [])
    if len(tags) > _TAGS_LIMIT:
        return web.Response(status=_URI_TOO_LONG)
    reference = exchange.target.reference
    declared = Digest.parse(reference) if is_digest(reference) else None
    if declared is None:
        names.check_tag(reference)
        tags = [reference, *tags]
    async with exchange.bodies.manifest(exchange.request) as body:
        manifest = RawManifest(
            media_type=media_types.bare(exchange.request.headers.get(hdrs.CONTENT_TYPE, "")),
            digest=declared or Digest.of(body),
            body=body,
        )
        contents = await repository.put_manifest(manifest, tags=tags)
    exchange.acted(events.Action.PUSH)
    headers: CIMultiDict[str] = CIMultiDict(
        {
            hdrs.LOCATION: f"/v2/{exchange.target.repository}/manifests/{manifest.digest}",
            "Docker-Content-Digest": str(manifest.digest),
        }
    )
    if contents.subject is not None:
        headers["OCI-Subject"] = str(contents.subject)
    for tag in tags:
        headers.add("OCI-Tag", tag)
    return web.Response(status=201, headers=headers)


async def delete(exchange: Exchange) -> web.StreamResponse:
    """Delete a tag, or a manifest and all its tags."""
    reference = exchange.target.reference
    if is_digest(reference):
        await exchange.repository.delete_manifest(Digest.parse(reference))
        exchange.acted(events.Action.DELETE)
    else:
        await exchange.repository.delete_tag(reference)
        exchange.acted(events.Action.UNTAG)
    return web.Response(status=202)


def _headers(exchange: Exchange, found: Found) -> dict[str, str]:
    by_digest = is_digest(exchange.target.reference)
    return {
        hdrs.CONTENT_TYPE: found.media_type,
        hdrs.ETAG: f'"{found.digest}"',
        hdrs.CACHE_CONTROL: conditions.FOR_EVER if by_digest else conditions.ASK_AGAIN,
        "Docker-Content-Digest": str(found.digest),
    }
