"""One blob of a gibibyte to a registry and back, by a client that does nothing else."""

from __future__ import annotations

import hashlib
import http.client
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from bench.measure import CommandFailed
from bench.registry_servers import Subject
from bench.servers import connect

SIZE_BYTES: Final = 1024 * 1024 * 1024
_PIECE_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """What a gibibyte took: on the clock, and of the server's processors."""

    seconds: float
    cpu_seconds: float


class Content:
    """Bytes that no server has seen: a piece again and again, each time with another beginning."""

    def __init__(self) -> None:
        self._seed = os.urandom(16)
        self._rest = os.urandom(_PIECE_BYTES - 24)
        digest = hashlib.sha256()
        for piece in self.pieces():
            digest.update(piece)
        self.digest = f"sha256:{digest.hexdigest()}"

    def pieces(self) -> Iterator[bytes]:
        """Yield it piece by piece."""
        for number in range(SIZE_BYTES // _PIECE_BYTES):
            yield self._seed + number.to_bytes(8) + self._rest


def push(subject: Subject, repository: str, content: Content) -> Passage:
    """Push it with one PUT."""
    connection = connect(subject.host, encrypted=subject.encrypted)
    connection.request("POST", f"/v2/{repository}/blobs/uploads/", b"", subject.headers)
    answer = connection.getresponse()
    answer.read()
    location = urlsplit(answer.getheader("Location") or "")
    query = f"{location.query}&" if location.query else ""
    headers = {
        **subject.headers,
        "Content-Length": str(SIZE_BYTES),
        "Content-Type": "application/octet-stream",
    }
    before, started = subject.cpu_seconds(), time.monotonic()
    target = f"{location.path}?{query}digest={content.digest}"
    connection.request("PUT", target, content.pieces(), headers)
    status = connection.getresponse().status
    passage = _passage(subject, before, started)
    connection.close()
    if status != http.client.CREATED:
        raise CommandFailed(f"{subject.name}: the push of a gibibyte was answered {status}")
    return passage


def pull(subject: Subject, repository: str, content: Content) -> Passage:
    """Pull it into nothing: what a client does with the bytes is not the server's."""
    connection = connect(subject.host, encrypted=subject.encrypted)
    hole = bytearray(_PIECE_BYTES)
    before, started = subject.cpu_seconds(), time.monotonic()
    target = f"/v2/{repository}/blobs/{content.digest}"
    connection.request("GET", target, headers=subject.headers)
    answer, received = connection.getresponse(), 0
    while count := answer.readinto(hole):
        received += count
    passage = _passage(subject, before, started)
    connection.close()
    if received != SIZE_BYTES:
        raise CommandFailed(f"{subject.name}: a pull of a gibibyte ended after {received} bytes")
    return passage


def _passage(subject: Subject, before: float, started: float) -> Passage:
    return Passage(seconds=time.monotonic() - started, cpu_seconds=subject.cpu_seconds() - before)
