"""The connector: every connection is checked by the address it is really made to.

A check of the name alone is not enough: names resolve to anything, and differently a second later.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import ipaddress
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import aiohttp
from typing_extensions import override

from protocol import fence, guard

PEER: contextvars.ContextVar[guard.Reach | None] = contextvars.ContextVar("peer", default=None)

# No kernel answers connect() with it, so it marks our own refusal through any wrapping.
REFUSED_ERRNO = errno.ECANCELED
_IPV4 = 4


class GuardedConnector(aiohttp.TCPConnector):
    """A pool that connects nowhere the guard forbids; notes in PEER how deep the peer lies.

    `within` None is for connections to a proxy: the administrator chose it, it is not checked.
    """

    def __init__(
        self, outbound: Callable[[], guard.Guard], within: guard.Reach | None, *, per_host: int
    ) -> None:
        super().__init__(
            limit=0,
            limit_per_host=per_host,
            socket_factory=None if within is None else self._checked_socket,
        )
        self._guard = outbound
        self._within = within

    @override
    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:
        """Hand out a connection of the pool, or a new one, once a fence here lets bytes go out."""
        connection = await super().connect(req, traces, timeout)
        try:
            await fence.confirm()
        except BaseException:
            connection.close()
            raise
        transport = connection.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        if peer:
            address = guard.literal(str(peer[0]))
            PEER.set(None if address is None else guard.reach(address))
        return connection

    def _checked_socket(self, address: Any) -> socket.socket:
        family, kind, protocol, _, target = address
        ip, port = ipaddress.ip_address(target[0].partition("%")[0]), target[1]
        reason = refusal(self._guard(), ip, port, self._within or guard.Reach.PUBLIC)
        if reason is not None:
            raise OSError(REFUSED_ERRNO, reason)
        return socket.socket(family, kind, protocol)


def refusal(
    outbound: guard.Guard, address: guard.Address, port: int, within: guard.Reach
) -> str | None:
    """Say why an address may not be connected to, our own servers by any name included."""
    reason = outbound.refusal(address, port, within)
    if reason is None and port in outbound.ports_on_this_machine() and _is_here(address):
        return f"{address}:{port} belongs to this installation"
    return reason


async def addresses(host: str, port: int) -> tuple[guard.Address, ...]:
    """Return where a name leads now; nowhere if it does not resolve."""
    loop = asyncio.get_running_loop()
    try:
        answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    found = (guard.literal(str(target[0])) for *_, target in answers)
    return tuple(dict.fromkeys(address for address in found if address is not None))


async def resolved(outbound: guard.Guard) -> guard.Guard:
    """Return a guard that also knows the addresses behind the names of our own servers."""
    found = set(outbound.forbidden)
    for host, port in outbound.names():
        # A name that leads nowhere now leads nobody there either.
        found |= {(str(guard.unwrap(address)), port) for address in await addresses(host, port)}
    return replace(outbound, forbidden=frozenset(found))


def _is_here(address: guard.Address) -> bool:
    """Say whether an address is one of this machine's: only those can be bound."""
    family = socket.AF_INET if address.version == _IPV4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
        return True
