"""One registry's requests: authorised, tried again, counted; its errors typed.

The first request carries what is known; a 401 teaches the rest. There is no ping before it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from yarl import URL

from protocol import authorization, challenge, counting, guard, retrying, tls
from protocol.answer import Answer
from protocol.client import faults, tokens
from protocol.credential import Credential
from protocol.errors import ExchangeError, RateLimited, Refused, Rejected, Unauthorized, Unavailable
from protocol.gate import Gate
from protocol.request import Request, Stream, redacted
from protocol.transport import Transport

# Not structlog: importing it takes a third of a one-shot command's start.
log = logging.getLogger(__name__)

OK = frozenset({200})
BODY_LIMIT_BYTES = 16 * 1024 * 1024
_WARNINGS_KEPT = 100
_WARNING_CHARACTERS = 500
_UNAUTHORIZED = 401
_STORAGE_REFUSALS = frozenset({400, 401, 403})

Result = TypeVar("Result")


@dataclass(slots=True, kw_only=True)
class Call:
    """One operation on the registry. `kind` is what it counts as; `scope` what it needs.

    `repeatable` False sends it again only when the registry surely did nothing with it (429).
    """

    operation: str
    method: str
    url: URL
    kind: str
    scope: authorization.Scope = authorization.NOTHING
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Stream | None = None
    expected: frozenset[int] = OK
    repeatable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer that was read whole."""

    status: int
    headers: Mapping[str, str]
    links: tuple[str, ...]
    body: bytes
    url: URL


class Exchange:
    """What all operations on one registry share. `requests` counts by (method, kind)."""

    def __init__(
        self,
        transport: Transport,
        base: URL,
        *,
        credential: Credential | None,
        trust: tls.Trust,
        patience: retrying.Patience,
    ) -> None:
        self.transport = transport
        self.base = base
        self.text = str(base).rstrip("/")
        self.patience = patience
        self.gate: Gate | None = None
        self.requests: Counter[tuple[str, str]] = Counter()
        self.warnings: dict[str, None] = {}
        self.reach = guard.Reach.PUBLIC
        self._origin = base.origin()
        self._trust = trust
        self._authorization = authorization.Authorization(credential)
        self._desk = tokens.TokenDesk(self._authorization, self._send_for_token, base)
        self._hold = transport.hold_backs.of(self._origin.host_port_subcomponent or "")

    def url(self, path: str) -> URL:
        """Return the URL of a path that is already encoded."""
        return URL(self.text + path, encoded=True)

    async def read(self, call: Call, *, limit_bytes: int = BODY_LIMIT_BYTES) -> Reply:
        """Make the call and read its body, at most one byte more than the limit."""

        async def whole() -> Reply:
            async with await self._once(call) as answer:
                body = await answer.read(limit_bytes)
                links = tuple(answer.header_values("Link")) if "Link" in answer.headers else ()
                return Reply(
                    status=answer.status,
                    headers=answer.headers,
                    links=links,
                    body=body,
                    url=answer.url,
                )

        return await self._patiently(call, whole)

    async def open(self, call: Call) -> Answer:
        """Make the call and hand out its answer with the body unread; the caller closes it."""

        async def opened() -> Answer:
            return await self._once(call)

        return await self._patiently(call, opened)

    async def _patiently(self, call: Call, operation: Callable[[], Awaitable[Result]]) -> Result:
        if isinstance(call.body, Stream):
            return await operation()
        if call.repeatable:
            return await retrying.call(operation, self.patience)
        return await retrying.call(operation, self.patience, only=RateLimited)

    async def _once(self, call: Call) -> Answer:
        await self._hold.wait()
        own = call.url.origin() == self._origin
        shown = await self._desk.header(call.scope, self.reach) if own else None
        answer = await self._send(call, shown, own=own)
        if answer.status == _UNAUTHORIZED and self._is_own(answer):
            await answer.finish()
            shown = await self._admission(call, answer, shown)
            answer = await self._send(call, shown, own=own)
        if answer.status in call.expected and not faults.is_web_page(answer.headers):
            return answer
        raise await self._error(call, answer)

    async def _send(self, call: Call, shown: str | None, *, own: bool) -> Answer:
        if not own and self.base.scheme == "https" and call.url.scheme != "https":
            raise Refused(
                "the registry is https and its Location leads to plain http; its proxy should "
                "send X-Forwarded-Proto",
                operation=call.operation,
                url=redacted(call.url),
            )
        headers = call.headers if shown is None else {**call.headers, "Authorization": shown}
        request = Request(
            operation=call.operation,
            method=call.method,
            url=call.url,
            headers=headers,
            body=call.body,
            within=guard.Reach.LOOPBACK if own else self.reach,
            trust=self._trust,
            on_hop=lambda method, hop: self._count(method, call.kind, hop),
        )
        if own and self.gate is not None:
            await self.gate.admit()
        answer = await self.transport.send(request)
        if "Warning" in answer.headers:
            self._note_warnings(answer)
        if self._is_own(answer):
            self.reach = answer.reach
        return answer

    async def _admission(self, call: Call, answer: Answer, shown: str | None) -> str:
        """Return the header for the one repetition after a 401, or raise Unauthorized."""
        values = answer.header_values("WWW-Authenticate")
        if not values and not self._authorization.is_known and call.kind != "ping":
            values = await self._challenges_of_ping()
        challenges = challenge.parse(values)
        header = await self._desk.admit(challenges, call.scope, shown, self.reach)
        if header is None or header == shown:
            raise await self._error(call, answer)
        if isinstance(call.body, Stream):
            raise Unavailable(
                "the token had expired while a blob was sent; it is renewed, the blob can go on",
                operation=call.operation,
                url=redacted(call.url),
                status=_UNAUTHORIZED,
            )
        return header

    async def _challenges_of_ping(self) -> list[str]:
        """Ask /v2/ for the challenge that a bare 401 withheld (gcr.io, peers.md §6.51)."""
        url = self.url("/v2/")
        ping = Call(operation="learn the challenge", method="GET", url=url, kind="ping")
        answer = await self._send(ping, None, own=True)
        await answer.finish()
        return answer.header_values("WWW-Authenticate")

    async def _send_for_token(self, request: Request) -> Reply:
        request = replace(
            request,
            trust=self._trust,
            on_hop=lambda method, _: self._count(method, "token", 0),
        )
        async with await self.transport.send(request) as answer:
            body = await answer.read(faults.ERROR_BODY_LIMIT_BYTES * 4)
        return Reply(
            status=answer.status, headers=answer.headers, links=(), body=body, url=answer.url
        )

    async def _error(self, call: Call, answer: Answer) -> ExchangeError:
        body = b"" if call.method == "HEAD" else await _error_body(answer)
        answer.close()
        shown_url = redacted(answer.url)
        error = faults.error_of(call.operation, shown_url, answer.status, answer.headers, body)
        if answer.status in call.expected:
            error = Rejected(
                error.message, operation=call.operation, url=shown_url, status=answer.status
            )
        elif self._was_redirected(call, answer) and answer.status in _STORAGE_REFUSALS:
            # A signed address of the storage behind the registry has expired: ask for a new one.
            error = Unavailable(
                f"the storage behind the registry answered {answer.status}",
                operation=call.operation,
                url=shown_url,
                status=answer.status,
            )
        elif isinstance(error, Unauthorized):
            error = faults.unauthorized(error, given=self._authorization.credential is not None)
        self._hold_back(error)
        return error

    def _hold_back(self, error: ExchangeError) -> None:
        seconds = getattr(error, "retry_after_seconds", None)
        if seconds is not None and seconds <= self.patience.longest_wait_seconds:
            self._hold.ask_for(seconds)

    def _is_own(self, answer: Answer) -> bool:
        return answer.url.origin() == self._origin

    def _was_redirected(self, call: Call, answer: Answer) -> bool:
        return call.url.origin() == self._origin and not self._is_own(answer)

    def _count(self, method: str, kind: str, hop: int) -> None:
        self.requests[method, kind if hop == 0 else "storage"] += 1
        counting.count_request()

    def _note_warnings(self, answer: Answer) -> None:
        """Surface `Warning: 299` once per text (distribution-spec, Warnings)."""
        for value in answer.header_values("Warning"):
            text = value[:_WARNING_CHARACTERS]
            if len(self.warnings) < _WARNINGS_KEPT and text not in self.warnings:
                self.warnings[text] = None
                log.warning("%s warns: %s", self._origin.host, text)


async def _error_body(answer: Answer) -> bytes:
    try:
        return await answer.read(faults.ERROR_BODY_LIMIT_BYTES)
    except ExchangeError:
        return b""
