"""The one door to aiohttp's client: single requests and their redirects, guarded and watched.

It knows hosts, TLS, proxies and stalls; it knows nothing of registries, tokens or retries.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from weakref import WeakValueDictionary

import aiohttp
from yarl import URL

from protocol import connections, failures, guard, retrying, stalling, tls
from protocol.answer import Answer
from protocol.errors import ExchangeError, Refused
from protocol.request import Request, Stream
from protocol.surroundings import Surroundings

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAXIMUM_REDIRECTS = 5
READ_BUFFER_BYTES = 256 * 1024
"""A stream holds about ten times this: 32 at once stay under 200 MiB; 1 MiB is no faster."""
HEADER_LIMIT_BYTES = 64 * 1024
_SLICE_BYTES = 256 * 1024
_NAMES_SECONDS = 60
_WHICH_SCHEMES = "only http and https addresses can be asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds without progress; nothing limits how long a transfer takes that moves.

    `answer_seconds` is what a registry has to think after a request's body is there: committing a
    large blob takes its time.
    """

    connect_seconds: float = 15
    stall_seconds: float = 60
    answer_seconds: float = 300


class Transport:
    """Process-wide; holds the connection pools. Open no request after `close`."""

    def __init__(
        self,
        surroundings: Surroundings | None = None,
        outbound: guard.Guard | None = None,
        *,
        timeouts: Timeouts | None = None,
        connections_per_host: int = 100,
    ) -> None:
        self.surroundings = surroundings or Surroundings()
        self.guard = outbound or guard.Guard()
        self._names = self.guard.names()
        self._names_good_until = 0.0
        self._guard_now = self.guard
        self.timeouts = timeouts or Timeouts()
        self.hold_backs = retrying.HoldBacks()
        self._connections_per_host = connections_per_host
        self._writers: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._sessions: dict[guard.Reach | None, aiohttp.ClientSession] = {}
        self._contexts: dict[tuple[str, tls.Trust], Any] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    def one_writer(self, name: str) -> asyncio.Lock:
        """Return the lock of something that one at a time may read, change and write back."""
        return self._writers.setdefault(name, asyncio.Lock())

    async def send(self, request: Request) -> Answer:
        """Send a request, follow its redirects, return the last answer whatever its status.

        Raise Refused, Unreachable or UntrustedCertificate when there is no answer.
        """
        for hop in range(MAXIMUM_REDIRECTS + 1):
            if request.on_hop is not None:
                request.on_hop(request.method, hop)
            answer = await self._hop(request)
            if not _leads_on(request, answer):
                return answer
            following = _redirected(request, answer)
            await answer.finish()
            request = following
        raise Refused(
            f"more than {MAXIMUM_REDIRECTS} redirects in a row",
            operation=request.operation,
            url=request.shown_url,
        )

    async def refusal(self, url: URL, within: guard.Reach) -> str | None:
        """Say why the guard would not let a request go to `url`, as its name resolves now.

        Connections are checked again when they are made: names resolve differently a second later.
        """
        host, port = url.host or "", url.port or 0
        if url.scheme not in {"http", "https"} or not host:
            return _WHICH_SCHEMES
        await self._resolve_names()
        reason = self._guard_now.host_refusal(host, port, within)
        if reason or self.surroundings.proxies.for_host(url.scheme, host, port):
            return reason
        found = await connections.addresses(host, port)
        reasons = ((one, connections.refusal(self._guard_now, one, port, within)) for one in found)
        return next((f"{host} leads to {one}: {reason}" for one, reason in reasons if reason), None)

    async def _hop(self, request: Request) -> Answer:
        url = request.url
        host, port = url.host or "", url.port or 0
        _check_scheme(request, url)
        await self._resolve_names()
        reason = self._guard_now.host_refusal(host, port, request.within)
        if reason is not None:
            raise _refused(request, f"the outbound guard refuses it: {reason}")
        proxy = self.surroundings.proxies.for_host(url.scheme, host, port)
        session = self._session(None if proxy else request.within)
        context = self._context(request, proxy)
        connections.PEER.set(None)
        body, headers, watch = self._body(request)
        try:
            async with watch:
                response = await session.request(
                    request.method,
                    url,
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                    ssl=context,
                    proxy=proxy,
                )
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            ca = tls.ca_name(self.surroundings, _authority(url), request.trust)
            raise failures.no_answer(error, request, proxy=proxy, ca=ca) from error
        peer = None if proxy else connections.PEER.get()
        return Answer(request, response, peer if peer is not None else guard.reach_of_host(host))

    async def _resolve_names(self) -> None:
        """Look up again, once a minute, where our own servers are that are known by name."""
        if not self._names:
            return
        now = asyncio.get_running_loop().time()
        if now >= self._names_good_until:
            self._names_good_until = now + _NAMES_SECONDS
            self._guard_now = await connections.resolved(self.guard)

    def _body(
        self, request: Request
    ) -> tuple[Any, Mapping[str, str], contextlib.AbstractAsyncContextManager[Any]]:
        """Return body, headers and watch; what is long is sent in steps and watched."""
        body = request.body
        if isinstance(body, bytes) and len(body) > READ_BUFFER_BYTES:
            body = Stream(length_bytes=len(body), chunks=_slices(body))
        if not isinstance(body, Stream):
            return body, request.headers, contextlib.nullcontext()
        # Without a length it would go out in chunked encoding, which ACR refuses.
        headers = {**request.headers, "Content-Length": str(body.length_bytes)}
        watch = stalling.StallWatch()
        return self._watched(body, watch), headers, watch

    async def _watched(self, body: Stream, watch: stalling.StallWatch) -> AsyncIterator[bytes]:
        """Hand out the body; a peer that takes nothing for `stall_seconds` ends the request.

        While we wait for the source the clock stands: a slow source is not the peer's stall.
        """
        async for chunk in body.chunks:
            watch.expect_progress(self.timeouts.stall_seconds)
            yield chunk
            watch.expect_progress(None)
        watch.expect_progress(self.timeouts.answer_seconds)

    def _session(self, within: guard.Reach | None) -> aiohttp.ClientSession:
        """Return the pool for what may be reached; None is the pool of proxied connections.

        One pool per reach, so that a kept-alive private connection is never handed to a request
        that may not go there.
        """
        session = self._sessions.get(within)
        if session is None:
            connector = connections.GuardedConnector(
                lambda: self._guard_now, within, per_host=self._connections_per_host
            )
            session = aiohttp.ClientSession(
                connector=connector,
                auto_decompress=False,
                requote_redirect_url=False,
                read_bufsize=READ_BUFFER_BYTES,
                max_line_size=HEADER_LIMIT_BYTES,
                max_field_size=HEADER_LIMIT_BYTES,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("Accept-Encoding", "Accept", "Content-Type"),
                headers={"User-Agent": "transship", "Accept-Encoding": "identity"},
                timeout=aiohttp.ClientTimeout(
                    total=None,
                    sock_connect=self.timeouts.connect_seconds,
                    sock_read=self.timeouts.stall_seconds,
                ),
            )
            # aiohttp would send a PUT that was cut again by itself, and a registry appends it to
            # what had arrived; what may be repeated is repeated by our own rules.
            session._retry_connection = False  # noqa: SLF001 - aiohttp 3.13 has no public switch
            self._sessions[within] = session
        return session

    def _context(self, request: Request, proxy: str | None) -> Any:
        if request.url.scheme == "http" and proxy is None:
            return True
        key = (_authority(request.url), request.trust)
        context = self._contexts.get(key)
        if context is None:
            try:
                context = self._contexts[key] = tls.context(self.surroundings, *key)
            except OSError as error:
                raise failures.unusable_certificate(error, request) from error
        return context


async def _slices(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), _SLICE_BYTES):
        yield content[start : start + _SLICE_BYTES]


def _authority(url: URL) -> str:
    return url.host_port_subcomponent or ""


def _leads_on(request: Request, answer: Answer) -> bool:
    """Say whether a redirect is followed; a body, which may hold a token, stays with its host."""
    location = answer.headers.get("Location")
    if answer.status not in REDIRECTS or location is None or not request.follows_redirects:
        return False
    if request.method in {"GET", "HEAD"}:
        return True
    if answer.status not in {307, 308} or isinstance(request.body, Stream):
        return False
    target = resolve(request.url, location)
    same_host = bool(target.host) and target.origin() == request.url.origin()
    return request.body is None or same_host


def _redirected(request: Request, answer: Answer) -> Request:
    """Return the request for the place a redirect names; its URL is kept byte by byte."""
    url = resolve(request.url, answer.headers["Location"])
    following = replace(request, url=url, within=min(request.within, answer.reach))
    _check_scheme(request, url)
    if request.url.scheme == "https" and url.scheme != "https":
        raise _refused(following, "a redirect leads from https to plain http")
    if url.origin() != request.url.origin():
        headers = {k: v for k, v in request.headers.items() if k.lower() != "authorization"}
        following.headers = headers
    return following


def resolve(base: URL, reference: str) -> URL:
    """Resolve a Location against its request without re-quoting a byte of it."""
    url = URL(reference.strip(), encoded=True)
    return url if url.absolute and url.scheme else base.join(url)


def _check_scheme(request: Request, url: URL) -> None:
    if url.scheme not in {"http", "https"} or not url.host:
        raise _refused(request, _WHICH_SCHEMES)


def _refused(request: Request, message: str) -> ExchangeError:
    return Refused(message, operation=request.operation, url=request.shown_url)
