"""The one door to aiohttp's client: single requests and their redirects, guarded and watched.

It knows hosts, TLS, proxies and stalls; it knows nothing of registries, tokens or retries.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self
from weakref import WeakValueDictionary

import aiohttp
from yarl import URL

from protocol import connections, failures, guard, retrying, tls
from protocol.errors import ExchangeError, Refused
from protocol.request import Request, Stream
from protocol.surroundings import Surroundings

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAXIMUM_REDIRECTS = 5
READ_BUFFER_BYTES = 1024 * 1024
HEADER_LIMIT_BYTES = 64 * 1024
_SLICE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds without progress; nothing limits how long a transfer takes that moves.

    `answer_seconds` is what a registry has to think after a request's body is there: committing a
    large blob takes its time.
    """

    connect_seconds: float = 15
    stall_seconds: float = 60
    answer_seconds: float = 300


class Answer:
    """A response whose body is still to be read. Close it, or leave its `async with`."""

    __slots__ = ("_request", "_response", "headers", "reach", "status", "url")

    def __init__(
        self, request: Request, response: aiohttp.ClientResponse, reach: guard.Reach
    ) -> None:
        self._request = request
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self.url = request.url
        self.reach = reach

    def header_values(self, name: str) -> list[str]:
        """Return all values of a header that may come more than once."""
        return self._response.headers.getall(name, [])

    async def read(self, limit_bytes: int) -> bytes:
        """Return the body, cut off one byte after the limit; release the connection."""
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
            if len(body) > limit_bytes:
                self.close()
                return bytes(body[: limit_bytes + 1])
        self._response.release()
        return bytes(body)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes, up to 2 MiB at a time; raise Unreachable when it breaks."""
        content = self._response.content
        try:
            while chunk := await content.readany():
                yield chunk
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise failures.broken_body(error, self._request) from error

    async def finish(self) -> None:
        """Give the connection back for the next request if little is left to read."""
        await self.read(HEADER_LIMIT_BYTES)

    def close(self) -> None:
        """Drop the connection unless the body was read whole."""
        self._response.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class StallWatch:
    """Ends a request whose body does not move on; raises TimeoutError out of its `async with`."""

    __slots__ = ("_open", "_timeout")

    def __init__(self) -> None:
        self._timeout = asyncio.timeout(None)
        self._open = False

    def expect_progress(self, seconds: float | None) -> None:
        """Wait so long for the next sign of life; None stops the clock.

        An answer may come before the body is through: then there is nothing to watch any more.
        """
        if self._open:
            when = None if seconds is None else asyncio.get_running_loop().time() + seconds
            self._timeout.reschedule(when)

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self._open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open = False
        await self._timeout.__aexit__(kind, error, trace)


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

    async def _hop(self, request: Request) -> Answer:
        url = request.url
        host, port = url.host or "", url.port or 0
        _check_scheme(request, url)
        reason = self.guard.host_refusal(host, port, request.within)
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
        watch = StallWatch()
        return self._watched(body, watch), headers, watch

    async def _watched(self, body: Stream, watch: StallWatch) -> AsyncIterator[bytes]:
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
                self.guard, within, per_host=self._connections_per_host
            )
            session = self._sessions[within] = aiohttp.ClientSession(
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
    if answer.status not in REDIRECTS or "Location" not in answer.headers:
        return False
    return request.method in {"GET", "HEAD"} or (
        answer.status in {307, 308} and not isinstance(request.body, Stream)
    )


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
        raise _refused(request, "only http and https addresses can be asked")


def _refused(request: Request, message: str) -> ExchangeError:
    return Refused(message, operation=request.operation, url=request.shown_url)
