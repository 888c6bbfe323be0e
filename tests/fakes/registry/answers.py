"""How the fake answers: errors in the spec's shape, and bodies that a fault may spoil."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from tests.fakes.registry.faults import Fault

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_PIECE_BYTES = 64 * 1024


def error(status: int, code: str, message: str = "") -> web.Response:
    """Answer with one entry of the spec's `errors`."""
    return web.json_response({"errors": [{"code": code, "message": message}]}, status=status)


def ping(kind: str) -> web.Response:
    """Answer `GET /v2/`, and 404 to what is no path of a registry."""
    if kind == "ping":
        return web.json_response({})
    return error(404, "UNSUPPORTED", "no such path")


def hang_up(request: web.Request) -> None:
    """Reset the connection."""
    if request.transport is not None:
        request.transport.abort()


async def deliver(
    request: web.Request, answer: web.Response, fault: Fault | None
) -> web.StreamResponse:
    """Send an answer, spoilt as the fault says."""
    if fault is None:
        return answer
    if fault.reset_after_commit:
        hang_up(request)
        return answer
    for name in fault.drop_headers:
        answer.headers.popall(name, None)
    body = bytes(answer.body) if isinstance(answer.body, bytes | bytearray) else b""
    if fault.replace_body is not None:
        body = fault.replace_body
    if fault.flip_bit_at is not None:
        spoilt = bytearray(body)
        spoilt[fault.flip_bit_at] ^= 1
        body = bytes(spoilt)
    if fault.reset_after_bytes is None and fault.drip_bytes is None:
        headers = {k: v for k, v in answer.headers.items() if k.lower() != "content-length"}
        headers.update(fault.headers)
        return web.Response(status=answer.status, headers=headers, body=body)
    return await _stream(request, answer, fault, body)


async def _stream(
    request: web.Request, answer: web.Response, fault: Fault, body: bytes
) -> web.StreamResponse:
    stream = web.StreamResponse(status=answer.status, headers=answer.headers)
    stream.content_length = len(body)
    await stream.prepare(request)
    limit = len(body) if fault.reset_after_bytes is None else fault.reset_after_bytes
    piece = fault.drip_bytes or _PIECE_BYTES
    for start in range(0, limit, piece):
        await stream.write(body[start : min(start + piece, limit)])
        if fault.hold is not None:
            await fault.hold.wait()
    if fault.reset_after_bytes is not None:
        # A clean close, so that what was written arrives: an abort may throw it away.
        if request.transport is not None:
            request.transport.close()
        return stream
    await stream.write_eof()
    return stream
