"""Where a request came from and which address it was sent to, as trusted proxies tell it.

Each proxy adds to the right, so entries are believed from the right for as long as whoever added
them is trusted. Where both kinds of headers are there, X-Forwarded-* count: proxies that set those
pass a client's own `Forwarded` (RFC 7239) on as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network

_PORT = re.compile(r"(?P<v4>[0-9.]+):[0-9]+|\[(?P<v6>[0-9A-Fa-f:.]+)\](?::[0-9]+)?")
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_SCHEMES = frozenset({"http", "https"})
# One `name=value` of an element, and what ended it: `;` within the element, `,` after it.
_PAIR = re.compile(r'\s*(?:([!#$%&\'*+.^_`|~\w-]+)=("(?:[^"\\]|\\.)*"|[^\s;,"]*))?\s*(;|,|$)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The client's address; scheme and host that it asked for, None where no proxy says so."""

    address: str
    scheme: str | None = None
    host: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What the proxies added, the last one at the end."""

    addresses: Sequence[str | None] = ()
    schemes: Sequence[str | None] = ()
    hosts: Sequence[str | None] = ()


def origin(peer: str, headers: Mapping[str, Sequence[str]], trusted: Sequence[Network]) -> Origin:
    """Return where a request comes from: of the peer itself, unless the peer is trusted.

    `headers` has lower-case names and all values of each.
    """
    if not _is_trusted(_address(peer), trusted):
        return Origin(address=peer)
    told = _of_x_forwarded(headers) or _of_forwarded(headers.get("forwarded", ()))
    if told is None:
        return Origin(address=peer)
    address, hops = peer, 1
    for given in reversed(told.addresses):
        found = _address(given or "")
        if found is None:
            break
        address = str(found)
        if not _is_trusted(found, trusted):
            break
        hops += 1
    scheme, host = _at(told.schemes, hops), _at(told.hosts, hops)
    return Origin(
        address=address,
        scheme=scheme.lower() if scheme and scheme.lower() in _SCHEMES else None,
        host=host if host and _HOST.fullmatch(host) else None,
    )


def _at(values: Sequence[str | None], hops: int) -> str | None:
    """Return what the outermost trusted proxy said; often only one of them says anything."""
    return values[-min(hops, len(values))] if values else None


def _is_trusted(address: IPv4Address | IPv6Address | None, trusted: Sequence[Network]) -> bool:
    return address is not None and any(address in network for network in trusted)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address, with or without a port."""
    match = _PORT.fullmatch(text)
    try:
        found = ip_address((match["v4"] or match["v6"]) if match else text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _of_x_forwarded(headers: Mapping[str, Sequence[str]]) -> _Told | None:
    addresses, schemes, hosts = (
        [value.strip() for value in ",".join(headers.get(f"x-forwarded-{name}", ())).split(",")]
        for name in ("for", "proto", "host")
    )
    if not any((*addresses, *schemes, *hosts)):
        return None
    return _Told(addresses=addresses, schemes=schemes, hosts=hosts)


def _of_forwarded(values: Sequence[str]) -> _Told | None:
    elements: list[dict[str, str]] = [{}]
    text, position = ",".join(values), 0
    while position < len(text):
        match = _PAIR.match(text, position)
        if match is None:  # not RFC 7239: believe none of it
            return None
        if match[1]:
            elements[-1][match[1].lower()] = _unquoted(match[2])
        if match[3] == ",":
            elements.append({})
        position = match.end()
    if not any(elements):
        return None
    return _Told(
        addresses=[element.get("for") for element in elements],
        schemes=[element.get("proto") for element in elements],
        hosts=[element.get("host") for element in elements],
    )


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
