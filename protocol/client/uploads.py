"""Blobs to write: the ladder mount, whole, chunks, cancel (distribution-spec, Pushing Blobs)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping

from yarl import URL

from protocol import transport
from protocol.client import bodies
from protocol.client.exchange import Call, Exchange, Reply
from protocol.client.memory import Ability, Memory
from protocol.client.paths import Paths
from protocol.descriptor import Descriptor
from protocol.errors import (
    ExchangeError,
    NotFound,
    RangeNotSatisfiable,
    RegistryError,
    Rejected,
    SizeMismatch,
    Unavailable,
    Unreachable,
    Unsupported,
)
from protocol.request import Stream

OCTETS = {"Content-Type": "application/octet-stream"}
SMALL_BYTES = 1024 * 1024
"""A blob up to here is sent as one piece of memory: one write, and it can be repeated."""

CHUNK_BYTES = 4 * 1024 * 1024
"""GHCR takes no larger PATCH."""

CHUNK_LIMIT_BYTES = 64 * 1024 * 1024
_DONE = frozenset({200, 201, 202, 204})
_TOO_LARGE = 413
_RANGE = re.compile(r"(?:bytes=)?0-(\d+)")


class RemoteUpload:
    """One upload session. `Location` is taken from each answer and kept byte by byte."""

    def __init__(
        self,
        exchange: Exchange,
        paths: Paths,
        memory: Memory,
        blob: Descriptor,
        opened: Reply,
        *,
        chunked: bool = False,
    ) -> None:
        self._exchange = exchange
        self._paths = paths
        self._memory = memory
        self._blob = blob
        self._location = self._located(opened)
        self._chunk_bytes = _chunk_bytes(opened.headers)
        self._offset = 0
        self._chunked = chunked
        self._whole_failures = 0
        self._everything_sent = False
        self._committed = False

    @property
    def offset_bytes(self) -> int:
        """How many bytes the registry holds."""
        return self._offset

    async def send(self, chunks: AsyncIterator[bytes]) -> None:
        """Send the rest and commit; an error of `chunks` itself comes out as it is."""
        if self._committed:
            return
        body = bodies.Body(chunks, self._blob.size_bytes - self._offset)
        whole = self._memory.recall(Ability.WHOLE_UPLOAD, self._paths.name) is not False
        if self._offset == 0 and whole and not self._chunked:
            await self._send_whole(body)
        else:
            await self._send_chunks(body)
            await self._put(b"")
        self._committed = True

    async def recover(self) -> int:
        """Return where the registry stands; raise NotFound when the session is gone.

        The blob's size means: it is there already, `send` has nothing left to do.
        """
        if self._everything_sent and await self._is_there():
            self._committed = True
            self._offset = self._blob.size_bytes
            return self._offset
        self._offset = await self._status()
        return self._offset

    async def cancel(self) -> None:
        """Delete the session; whether the registry minds is its own affair."""
        if self._committed:
            return
        call = self._call("cancel upload", "DELETE", self._location)
        try:
            await self._exchange.read(call)
        except ExchangeError:
            return

    async def _send_whole(self, body: bodies.Body) -> None:
        """One PUT with its true length: what every registry takes (never chunked encoding)."""
        try:
            if body.length_bytes <= SMALL_BYTES:
                await self._put(await body.collect())
            else:
                await self._put(body.stream())
        except ExchangeError as error:
            body.raise_failure()
            self._everything_sent = body.is_sent
            self._note_whole_failure(error)
            raise

    def _note_whole_failure(self, error: ExchangeError) -> None:
        self._whole_failures += 1
        too_large = isinstance(error, RegistryError) and error.status == _TOO_LARGE
        self._chunked = too_large or self._whole_failures > 1
        if too_large:
            self._memory.note(Ability.WHOLE_UPLOAD, self._paths.name, answer=False)

    async def _send_chunks(self, body: bodies.Body) -> None:
        async for chunk in body.pieces(self._chunk_bytes):
            await self._send_chunk(chunk)

    async def _send_chunk(self, chunk: bytes) -> None:
        """Send one chunk; the registry may take less of it, or say where it really stands."""
        start, end = self._offset, self._offset + len(chunk)
        failures = 0
        while self._offset < end:
            rest = chunk[self._offset - start :]
            before = self._offset
            try:
                await self._patch(rest)
            except (RangeNotSatisfiable, Unavailable, Unreachable):
                failures += 1
                if failures >= self._exchange.patience.attempts:
                    raise
                self._offset = await self._status()
            else:
                failures = failures + 1 if self._offset == before else 0
                if failures >= self._exchange.patience.attempts:
                    raise SizeMismatch(expected_bytes=end, actual_bytes=self._offset)
            if not start <= self._offset <= end:
                raise SizeMismatch(expected_bytes=before, actual_bytes=self._offset)

    async def _patch(self, rest: bytes) -> None:
        first, last = self._offset, self._offset + len(rest) - 1
        call = self._call("send chunk", "PATCH", self._location)
        call.headers = {**OCTETS, "Content-Range": f"{first}-{last}"}
        call.body = rest
        call.repeatable = False
        reply = await self._exchange.read(call)
        self._location = self._located(reply)
        held = _held_bytes(reply.headers)
        self._offset = last + 1 if held is None else held

    async def _put(self, body: bytes | Stream) -> None:
        call = self._call(
            "commit blob", "PUT", _with_digest(self._location, str(self._blob.digest))
        )
        call.headers = OCTETS
        call.body = body
        call.repeatable = False
        await self._exchange.read(call)

    async def _is_there(self) -> bool:
        call = Call(
            operation="find blob",
            method="HEAD",
            url=self._exchange.url(self._paths.blob(self._blob.digest)),
            kind="blob",
            scope=self._paths.push,
        )
        try:
            await self._exchange.read(call)
        except RegistryError:
            return False
        return True

    async def _status(self) -> int:
        call = self._call("ask upload status", "GET", self._location)
        try:
            reply = await self._exchange.read(call)
        except (Rejected, Unsupported) as error:
            # No status, no way to go on: begin anew.
            raise NotFound(
                error.message, operation=error.operation, url=error.url, status=error.status
            ) from error
        self._location = self._located(reply)
        return _held_bytes(reply.headers) or 0

    def _call(self, operation: str, method: str, url: URL) -> Call:
        return Call(
            operation=operation,
            method=method,
            url=url,
            kind="upload",
            scope=self._paths.push,
            expected=_DONE,
        )

    def _located(self, reply: Reply) -> URL:
        location = reply.headers.get("Location")
        if location:
            return transport.resolve(reply.url, location)
        return self._location


def _with_digest(location: URL, digest: str) -> URL:
    """Append the digest to a Location without a change to the rest."""
    text = str(location)
    return URL(f"{text}{'&' if '?' in text else '?'}digest={digest}", encoded=True)


def _held_bytes(headers: Mapping[str, str]) -> int | None:
    """Read `Range: 0-<last>`. `0-0` is what registries say of an empty session."""
    match = _RANGE.fullmatch(headers.get("Range", "").strip())
    if match is None:
        return None
    last = int(match[1])
    return last + 1 if last else 0


def _chunk_bytes(headers: Mapping[str, str]) -> int:
    minimum = headers.get("OCI-Chunk-Min-Length", "")
    wanted = int(minimum) if minimum.isdigit() else 0
    return min(max(wanted, CHUNK_BYTES), CHUNK_LIMIT_BYTES)
