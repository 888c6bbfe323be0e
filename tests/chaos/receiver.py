"""A registry and a target of hooks that writes down who put which tag and sent which message when.

Which process it was says the kernel: the connection's other end is a socket of one of ours. So
releases that knew nothing of this are told apart, too.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from typing_extensions import override

from jobservice.domain.hook_payloads import signature
from protocol.digest import is_digest
from tests.fakes.registry import paths
from tests.fakes.registry.server import FakeRegistry

HOOK = "/hook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """What was done to us: by the process `pid` (None where that was gone already).

    `what` is a repository and a tag of it that was put, or the id of an event that was told of.
    """

    what: tuple[str, ...]
    pid: int | None
    arrived_at: float
    answered_at: float


class Receiver(FakeRegistry):
    """The registry; `pids` are the processes that may be asked about."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[Write] = []
        self.pids: set[int] = set()

    @override
    async def _handle(self, request: web.Request) -> web.StreamResponse:
        what = _effect(request)
        if what is None:
            return await super()._handle(request)
        arrived_at = time.time()
        pid = _sender(request, self.pids)
        if request.path == HOOK:
            await request.read()
            answer: web.StreamResponse = web.Response()
        else:
            answer = await super()._handle(request)
        self.writes.append(
            Write(what=what, pid=pid, arrived_at=arrived_at, answered_at=time.time())
        )
        return answer


def _effect(request: web.Request) -> tuple[str, ...] | None:
    """Return what a request does, if that is an effect."""
    if request.path == HOOK:
        return (request.headers[signature.EVENT_ID],)
    hit = paths.classify(request)
    if request.method != "PUT" or hit.kind != "manifest" or is_digest(hit.target):
        return None
    return (hit.repository, hit.target)


def _sender(request: web.Request, pids: set[int]) -> int | None:
    if request.transport is None:
        return None
    far, near = (request.transport.get_extra_info(name)[1] for name in ("peername", "sockname"))
    return _owner(far, near, pids)


def _owner(port: int, to_port: int, pids: set[int]) -> int | None:
    """Return which of these processes has the connection between two local ports."""
    inode = _inode(port, to_port)
    if inode is None:
        return None
    for pid in pids:
        try:
            links = [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            continue
        if f"socket:[{inode}]" in links:
            return pid
    return None


def _inode(port: int, to_port: int) -> str | None:
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, *fields = line.split()
        # One local port may lead to several servers.
        if (_port(local), _port(remote)) == (port, to_port):
            return fields[6]
    return None


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)
