"""A remote registry: the client that everything else asks for repositories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Self

from yarl import URL

from protocol import authorization, guard, retrying
from protocol.client import paging
from protocol.client.exchange import Call, Exchange
from protocol.client.memory import Memory
from protocol.client.repository import RemoteRepository
from protocol.credential import Credential
from protocol.errors import InvalidInput, NotFound, Unsupported
from protocol.gate import Gate
from protocol.tls import Trust
from protocol.transport import Transport

DOCKER_HUB = "registry-1.docker.io"
_DOCKER_HUB_NAMES = frozenset({"docker.io", "index.docker.io", DOCKER_HUB})


def base_url(text: str, *, plain_http: bool = False) -> str:
    """Return the address of a registry's API for a URL or a bare `host[:port]`.

    A bare host means https, or http for loopback and with `plain_http`; raise InvalidInput.
    """
    if "://" not in text:
        host = text.partition("/")[0]
        name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        loopback = guard.reach_of_host(name) is guard.Reach.LOOPBACK
        text = f"{'http' if plain_http or loopback else 'https'}://{text}"
    try:
        url = URL(text)
    except ValueError as error:
        raise InvalidInput(f"{text[:200]!r} is no registry address: {error}") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise InvalidInput(f"{text[:200]!r} is no registry address: expected https://host[:port]")
    if url.user or url.password or url.query_string or url.fragment:
        raise InvalidInput(
            f"the registry address of {url.host} must not hold credentials or a query"
        )
    if url.host in _DOCKER_HUB_NAMES:
        url = URL(f"https://{DOCKER_HUB}")
    return str(url).rstrip("/").removesuffix("/v2")


class RegistryClient:
    """One registry endpoint with one credential. Requests are counted in `requests`.

    It shares the transport's connections; `close` gives back what is its own.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        url: str,
        credential: Credential | None = None,
        insecure: bool = False,
        ca_certificate: str | None = None,
        patience: retrying.Patience | None = None,
    ) -> None:
        self._memory = Memory()
        self._exchange = Exchange(
            transport,
            URL(base_url(url)),
            credential=credential,
            trust=Trust(insecure=insecure, ca_certificate=ca_certificate),
            patience=patience or retrying.Patience(),
        )

    @property
    def url(self) -> str:
        """The registry's address, without `/v2/`."""
        return self._exchange.text

    @property
    def requests(self) -> Counter[tuple[str, str]]:
        """How many requests were made, by (method, kind).

        Kinds: ping, token, manifest, blob, upload, tags, catalog, referrers, storage (a redirect
        that was followed).
        """
        return self._exchange.requests

    @property
    def warnings(self) -> Sequence[str]:
        """What the registry said in `Warning` headers, each text once."""
        return tuple(self._exchange.warnings)

    def repository(
        self, name: str, *, writes: bool = False, chunked: bool = False
    ) -> RemoteRepository:
        """Hand out a repository; nothing is asked.

        `writes` asks for push access with the first token, which saves a second one; `chunked`
        sends blobs in chunks from the start.
        """
        return RemoteRepository(self._exchange, self._memory, name, writes=writes, chunked=chunked)

    def limit(self, gate: Gate | None) -> None:
        """Await `gate` before each request to the registry, those for tokens aside."""
        self._exchange.gate = gate

    async def ping(self) -> None:
        """Return when a registry answers and lets us in; raise an ExchangeError otherwise."""
        call = Call(operation="ping", method="GET", url=self._exchange.url("/v2/"), kind="ping")
        await self._exchange.read(call)

    async def repositories_page(self, cursor: str | None = None) -> paging.Page:
        """Return one page of the catalog; raise Unsupported where there is none."""
        call = Call(
            operation="list repositories",
            method="GET",
            url=self._exchange.url(f"/v2/_catalog?n={paging.PAGE_SIZE}"),
            kind="catalog",
            scope=authorization.CATALOG,
        )
        try:
            return await paging.page(self._exchange, call, "repositories", cursor)
        except NotFound as error:
            raise Unsupported(
                "this registry has no catalog; name the repositories",
                operation=error.operation,
                url=error.url,
                status=error.status,
                faults=error.faults,
            ) from error

    async def tags_page(self, repository: str, cursor: str | None = None) -> paging.Page:
        """Return one page of a repository's tags; raise NotFound."""
        return await self.repository(repository).tags_page(cursor)

    async def close(self) -> None:
        """Forget what was learnt; the transport is not this client's."""
        self._memory = Memory()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
