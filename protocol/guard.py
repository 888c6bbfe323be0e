"""The outbound guard: which addresses Transship may connect to (DESIGN §4, "Outbound guard").

Pure decisions; the transport asks before a request and again for the address it really connects to.
Registries may be loopback and private. Whatever a registry sends us to (a redirect, a token realm,
an upload's Location) may reach as far as the registry itself and no further. Hook targets may be
private, and loopback where a setting says so.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254")
)
# Every request asks about the same few addresses.
_REMEMBERED = 1024


class Reach(IntEnum):
    """How deep into our own network an address lies."""

    PUBLIC = 0
    PRIVATE = 1
    LOOPBACK = 2


def unwrap(address: Address) -> Address:
    """Return the IPv4 address inside an IPv4-mapped, NAT64 or 6to4 address."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner: ipaddress.IPv4Address | None = address.ipv4_mapped or address.sixtofour
    if inner is None and address in _NAT64:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address


@lru_cache(maxsize=_REMEMBERED)
def literal(host: str) -> Address | None:
    """Return the address that `host` writes out; None for a name."""
    try:
        return ipaddress.ip_address(host.strip("[]").rstrip(".").partition("%")[0])
    except ValueError:
        return None


@lru_cache(maxsize=_REMEMBERED)
def reach(address: Address) -> Reach:
    """Say how deep an address lies."""
    address = unwrap(address)
    if address.is_loopback:
        return Reach.LOOPBACK
    return Reach.PUBLIC if address.is_global else Reach.PRIVATE


def reach_of_host(host: str) -> Reach:
    """Say how deep a host lies as far as its writing tells; a name counts as public."""
    name = host.rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return Reach.LOOPBACK
    address = literal(host)
    return Reach.PUBLIC if address is None else reach(address)


@dataclass(frozen=True, slots=True)
class Guard:
    """The decision. `forbidden` holds (host or address, port) of our own Postgres and Redis.

    `opened` are networks that may be reached however deep they lie; nothing else is opened by them.
    `opened_by` names the setting that holds them, for whoever is refused.
    """

    forbidden: frozenset[tuple[str, int]] = frozenset()
    opened: tuple[Network, ...] = ()
    opened_by: str = ""

    def refusal(self, address: Address, port: int, within: Reach) -> str | None:
        """Say why this connection may not be made; None lets it pass."""
        address = unwrap(address)
        special = _special(address)
        if special is not None:
            return f"{address} is {special}"
        if (str(address), port) in self.forbidden:
            return f"{address}:{port} belongs to this installation"
        found = reach(address)
        if found > within and not self._opens(address):
            return self._too_deep(str(address), found)
        return None

    def host_refusal(self, host: str, port: int, within: Reach) -> str | None:
        """Say why a host may not be asked, as far as its writing tells."""
        address = literal(host)
        if address is not None:
            return self.refusal(address, port, within)
        if (host, port) in self.forbidden:
            return f"{host}:{port} belongs to this installation"
        if reach_of_host(host) > within and not self._opens_loopback:
            return self._too_deep(host, Reach.LOOPBACK)
        return None

    def _too_deep(self, host: str, found: Reach) -> str:
        reason = f"{host} is a {found.name.lower()} address, which may not be reached from here"
        if not self.opened_by:
            return reason
        return f"{reason}; to allow it, add its network to {self.opened_by}"

    def _opens(self, address: Address) -> bool:
        return any(address in network for network in self.opened)

    @property
    def _opens_loopback(self) -> bool:
        """Whether a loopback name is worth resolving: its addresses are judged one by one."""
        return any(network.is_loopback or network.prefixlen == 0 for network in self.opened)

    def names(self) -> tuple[tuple[str, int], ...]:
        """Return the forbidden servers that are known by a name, which has to be resolved."""
        return tuple(
            (host, port)
            for host, port in sorted(self.forbidden)
            if literal(host) is None and reach_of_host(host) is Reach.PUBLIC
        )

    def ports_on_this_machine(self) -> frozenset[int]:
        """Return the forbidden ports of this very machine, whatever address names it."""
        ports = set()
        for host, port in self.forbidden:
            address = literal(host)
            unspecified = address is not None and address.is_unspecified
            if unspecified or reach_of_host(host) is Reach.LOOPBACK:
                ports.add(port)
        return frozenset(ports)


@lru_cache(maxsize=_REMEMBERED)
def _special(address: Address) -> str | None:
    if address.is_link_local or address in _METADATA:
        return "a link-local or metadata address"
    if address.is_unspecified or address in ipaddress.ip_network("0.0.0.0/8"):
        return "the unspecified address"
    if address.is_multicast:
        return "a multicast address"
    if address.is_reserved and not address.is_loopback:
        return "a reserved address"
    return None
