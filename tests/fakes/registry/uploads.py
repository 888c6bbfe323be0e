"""The fake's blobs: ranges, storage on another port, and upload sessions."""

from __future__ import annotations

import hashlib
import re
import secrets

from aiohttp import web

from tests.fakes.registry import answers
from tests.fakes.registry.faults import Fault
from tests.fakes.registry.state import Hit, State, Upload

STATE_QUERY = "_state=a%2Bb%3D"
_ALGORITHMS = ("sha256", "sha512")


def blob(state: State, request: web.Request, hit: Hit) -> web.Response:
    """Serve GET, HEAD and DELETE of a blob."""
    repository = state.repositories.get(hit.repository)
    content = repository.blobs.get(hit.target) if repository else None
    if repository is None or content is None:
        return answers.error(404, "BLOB_UNKNOWN", "blob unknown to registry")
    if request.method == "DELETE":
        del repository.blobs[hit.target]
        return web.Response(status=202)
    if state.habits.redirect_blobs and request.method == "GET":
        place = f"{state.storage_url}/{hit.repository}/{hit.target}?sig=x%2Fy%2Bz%3D&n=1"
        state.storage_uses[hit.target] = 0
        return web.Response(status=307, headers={"Location": place})
    headers = {"Docker-Content-Digest": hit.target}
    return _ranged(state, request, content, headers)


def storage(state: State, request: web.Request) -> web.Response:
    """Serve the second port: signed addresses, no Authorization."""
    name, _, digest = request.path.lstrip("/").rpartition("/")
    if "Authorization" in request.headers or request.query_string == "":
        return web.Response(status=400, text="only one auth mechanism allowed")
    if not request.raw_path.endswith("?sig=x%2Fy%2Bz%3D&n=1"):
        return web.Response(status=403, text="<Error><Code>SignatureDoesNotMatch</Code></Error>")
    state.storage_uses[digest] += 1
    limit = state.habits.storage_expires_after
    if limit is not None and state.storage_uses[digest] > limit:
        return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>")
    return _ranged(state, request, state.repository(name).blobs[digest], {})


def _ranged(
    state: State, request: web.Request, content: bytes, headers: dict[str, str]
) -> web.Response:
    headers = {**headers, "Content-Type": "application/octet-stream"}
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
    if not asked or not state.habits.ranges:
        return web.Response(body=content, headers=headers)
    start = int(asked[1])
    if start >= len(content):
        return answers.error(416, "RANGE_INVALID")
    end = min(int(asked[2] or len(content) - 1), len(content) - 1)
    headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
    return web.Response(status=206, body=content[start : end + 1], headers=headers)


async def handle(state: State, request: web.Request, hit: Hit, fault: Fault | None) -> web.Response:
    """Serve POST, PATCH, PUT, GET and DELETE of uploads."""
    if request.method == "POST":
        return _begin(state, request, hit)
    upload = state.uploads.get(hit.target)
    if upload is None or upload.repository != hit.repository:
        return answers.error(404, "BLOB_UPLOAD_UNKNOWN")
    if state.habits.location == "state" and STATE_QUERY not in request.raw_path:
        return answers.error(400, "BLOB_UPLOAD_INVALID", "the Location came back changed")
    if request.method == "GET":
        return web.Response(status=204, headers=_where(state, hit.target, upload))
    if request.method == "DELETE":
        return _cancel(state, hit)
    return await (_patch if request.method == "PATCH" else _put)(state, request, hit, fault)


def _cancel(state: State, hit: Hit) -> web.Response:
    if not state.habits.cancels:
        return answers.error(405, "UNSUPPORTED")
    del state.uploads[hit.target]
    return web.Response(status=204)


def _begin(state: State, request: web.Request, hit: Hit) -> web.Response:
    digest = request.query.get("mount")
    if digest is not None and state.habits.mount_status is not None:
        return answers.error(state.habits.mount_status, "UNKNOWN", "mount is broken here")
    if digest is not None and state.habits.mounts:
        source = state.repositories.get(request.query.get("from", ""))
        if source is not None and digest in source.blobs:
            state.repository(hit.repository).blobs[digest] = source.blobs[digest]
            headers = {
                "Location": f"/v2/{hit.repository}/blobs/{digest}",
                "Docker-Content-Digest": digest,
            }
            return web.Response(status=201, headers=headers)
    session = secrets.token_hex(8)
    upload = state.uploads[session] = Upload(hit.repository)
    return web.Response(status=202, headers=_where(state, session, upload))


def _where(state: State, session: str, upload: Upload) -> dict[str, str]:
    location = f"/v2/{upload.repository}/blobs/uploads/{session}"
    if state.habits.location == "absolute":
        location = state.base_url + location
    if state.habits.location == "state":
        location = f"{location}?{STATE_QUERY}"
    headers = {
        "Location": location,
        "Range": f"0-{max(len(upload.received) - 1, 0)}",
        "Docker-Upload-UUID": session,
    }
    if state.habits.chunk_min_bytes is not None:
        headers["OCI-Chunk-Min-Length"] = str(state.habits.chunk_min_bytes)
    return headers


async def _receive(
    request: web.Request, upload: Upload, fault: Fault | None, limit: int | None = None
) -> bool:
    """Append the body; False when a fault cut it. Bytes beyond `limit` are not taken."""
    cut = fault.reset_request_after_bytes if fault is not None else None
    room = limit if limit is not None else request.content_length or 0
    received = 0
    async for piece in request.content.iter_any():
        taken = piece[: max(room, 0)]
        if cut is not None and received + len(piece) >= cut:
            upload.received += taken[: cut - received]
            answers.hang_up(request)
            return False
        upload.received += taken
        room -= len(taken)
        received += len(piece)
    return True


def _refusal(state: State, request: web.Request, upload: Upload) -> web.Response | None:
    if request.headers.get("Transfer-Encoding", "").lower() == "chunked":
        return answers.error(400, "CONTENT_LENGTH_INVALID", "chunked transfer encoding")
    limit = state.habits.whole_limit_bytes
    if limit is not None and (request.content_length or 0) > limit:
        return answers.error(413, "SIZE_INVALID", "too large for one request")
    given = request.headers.get("Content-Range")
    if given is None:
        return None
    match = re.fullmatch(r"(\d+)-(\d+)", given)
    start, end = (int(match[1]), int(match[2])) if match else (-1, -1)
    if start != len(upload.received) or end - start + 1 != request.content_length:
        return answers.error(416, "RANGE_INVALID", f"stands at {len(upload.received)}")
    return None


async def _patch(state: State, request: web.Request, hit: Hit, fault: Fault | None) -> web.Response:
    upload = state.uploads[hit.target]
    refusal = _refusal(state, request, upload)
    if refusal is not None:
        return refusal
    whole = await _receive(request, upload, fault, state.habits.chunk_accepts_bytes)
    return web.Response(status=202 if whole else 500, headers=_where(state, hit.target, upload))


async def _put(state: State, request: web.Request, hit: Hit, fault: Fault | None) -> web.Response:
    upload = state.uploads[hit.target]
    refusal = _refusal(state, request, upload)
    if refusal is not None:
        return refusal
    if not await _receive(request, upload, fault):
        return web.Response(status=500)
    digest = request.query.get("digest", "")
    algorithm, _, encoded = digest.partition(":")
    if algorithm not in _ALGORITHMS:
        return answers.error(400, "DIGEST_INVALID", f"unknown algorithm {algorithm}")
    del state.uploads[hit.target]
    if hashlib.new(algorithm, upload.received).hexdigest() != encoded:
        return answers.error(
            400, "DIGEST_INVALID", "provided digest did not match uploaded content"
        )
    state.repository(hit.repository).blobs[digest] = bytes(upload.received)
    headers = {
        "Location": f"/v2/{hit.repository}/blobs/{digest}",
        "Docker-Content-Digest": digest,
    }
    return web.Response(status=201, headers=headers)
