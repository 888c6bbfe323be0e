"""Blobs to read: from any offset, going on after a cut (distribution-spec, Pulling Blobs)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from protocol.answer import Answer
from protocol.client.exchange import Call, Exchange
from protocol.client.paths import Paths
from protocol.descriptor import Descriptor
from protocol.errors import RangeNotSatisfiable, SizeMismatch, Unreachable

_PARTIAL = 206
_EXPECTED = frozenset({200, _PARTIAL})
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class Download:
    """One blob's bytes from `offset_bytes` to its end; `open` it, read `chunks`, `close` it."""

    def __init__(
        self, exchange: Exchange, paths: Paths, blob: Descriptor, offset_bytes: int
    ) -> None:
        self._exchange = exchange
        self._blob = blob
        self._position = offset_bytes
        self._url = exchange.url(paths.blob(blob.digest))
        self._scope = paths.pull
        self._answer: Answer | None = None
        self._skip_bytes = 0
        self._ranges = True

    async def open(self) -> None:
        """Ask for the rest; nothing is asked for when there is none."""
        if 0 < self._blob.size_bytes == self._position:
            return
        if not self._ranges or self._position == 0:
            await self._open_at(0)
            return
        try:
            await self._open_at(self._position)
        except RangeNotSatisfiable:
            self._ranges = False
            await self._open_at(0)

    def close(self) -> None:
        """Drop what was not read."""
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes; a cut connection is opened anew where it broke.

        As often as bytes arrive in between, and `patience.attempts` times when none do.
        """
        idle = 0
        while self._answer is not None:
            before = self._position
            try:
                async for chunk in self._received(self._answer):
                    yield chunk
                if self._position >= self._blob.size_bytes:
                    return
                raise self._short()
            except (Unreachable, SizeMismatch) as error:
                idle = 0 if self._position > before else idle + 1
                cut = isinstance(error, SizeMismatch) or error.transient
                over = self._position > self._blob.size_bytes
                if over or not cut or idle >= self._exchange.patience.attempts:
                    raise
            self.close()
            await self.open()

    async def _received(self, answer: Answer) -> AsyncIterator[bytes]:
        async for received in answer.chunks():
            chunk = received
            if self._skip_bytes:
                skipped = min(self._skip_bytes, len(chunk))
                self._skip_bytes -= skipped
                chunk = chunk[skipped:]
            if not chunk:
                continue
            self._position += len(chunk)
            if self._position > self._blob.size_bytes:
                raise self._short()
            yield chunk

    async def _open_at(self, start: int) -> None:
        call = Call(
            operation="read blob",
            method="GET",
            url=self._url,
            kind="blob",
            scope=self._scope,
            expected=_EXPECTED,
        )
        if start:
            call.headers = {"Range": f"bytes={start}-"}
        self._answer = answer = await self._exchange.open(call)
        if answer.status == _PARTIAL and not self._fits(answer, start):
            self.close()
            self._ranges = False
            await self._open_at(0)
            return
        # 200 to a Range means: from the start after all.
        begins = start if answer.status == _PARTIAL else 0
        self._skip_bytes = self._position - begins
        length = answer.headers.get("Content-Length", "")
        if length.isdigit() and begins + int(length) != self._blob.size_bytes:
            self.close()
            raise SizeMismatch(
                expected_bytes=self._blob.size_bytes, actual_bytes=begins + int(length)
            )

    def _fits(self, answer: Answer, start: int) -> bool:
        match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        return (
            match is not None
            and int(match[1]) == start
            and match[3] in {"*", str(self._blob.size_bytes)}
        )

    def _short(self) -> SizeMismatch:
        return SizeMismatch(expected_bytes=self._blob.size_bytes, actual_bytes=self._position)
