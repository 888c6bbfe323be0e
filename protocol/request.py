"""One HTTP request, as values."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from yarl import URL

from protocol import guard, tls


def redacted(url: URL) -> str:
    """Return a URL without user, password and the values of its query (signatures live there)."""
    shown = f"{url.scheme}://{url.host_port_subcomponent}{url.raw_path}"
    return f"{shown}?…" if url.raw_query_string else shown


@dataclass(slots=True, kw_only=True)
class Stream:
    """A request body of known length that is made while it is sent; it can be sent once."""

    length_bytes: int
    chunks: AsyncIterator[bytes]


@dataclass(slots=True, kw_only=True)
class Request:
    """One request. `within` is how deep it may reach; `url` is sent as written.

    Without `follows_redirects` an answer that leads elsewhere is returned like any other.

    Tokens, passwords and signatures are in url, headers and body: none of them is in its repr.
    """

    operation: str
    method: str
    url: URL = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | Stream | None = field(default=None, repr=False)
    within: guard.Reach = guard.Reach.LOOPBACK
    trust: tls.Trust = field(default_factory=tls.Trust)
    on_hop: Callable[[str, int], None] | None = None
    follows_redirects: bool = True

    @property
    def shown_url(self) -> str:
        """The URL without anything secret."""
        return redacted(self.url)
