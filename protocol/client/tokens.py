"""Fetching tokens: one request per scope at a time, whoever waits for it."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import orjson
from yarl import URL

from protocol import guard, transport
from protocol.authorization import Authorization, Scope, TokenRequest, single
from protocol.challenge import Challenge
from protocol.client import faults
from protocol.errors import ExchangeError, Refused, RegistryError, Unauthorized
from protocol.request import Request, redacted

_OPERATION = "get a token"
_REFUSALS = frozenset({400, 401, 403})


class TokenAnswer(Protocol):
    """What a token endpoint said."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers."""
        ...

    @property
    def body(self) -> bytes:
        """The body, whole."""
        ...


class TokenDesk:
    """Keeps one registry's Authorization supplied with tokens."""

    def __init__(
        self,
        state: Authorization,
        send: Callable[[Request], Awaitable[TokenAnswer]],
        base: URL,
    ) -> None:
        self._state = state
        self._send = send
        self._base = base
        self._locks: defaultdict[Scope, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def header(self, scope: Scope, reach: guard.Reach) -> str | None:
        """Return the Authorization header for a request, with a fresh token where one is due."""
        if self._state.is_bearer and self._state.token(scope, time.monotonic()) is None:
            await self._fetch(scope, reach)
        return self._state.header(scope, time.monotonic())

    async def admit(
        self, challenges: Sequence[Challenge], scope: Scope, shown: str | None, reach: guard.Reach
    ) -> str | None:
        """Return what to show after a 401 to `shown`; None when there is nothing else."""
        known = self._state.learn(challenges) if challenges else self._state.assume_basic()
        if not known and not self._state.is_bearer:
            return None
        if not self._state.is_bearer:
            return self._state.header(scope, time.monotonic())
        if shown is not None:
            self._state.forget(shown)
        wanted = scope
        for each in challenges:
            wanted |= single(each.parameters.get("scope", ""))
        return await self.header(wanted, reach)

    async def _fetch(self, scope: Scope, reach: guard.Reach) -> None:
        async with self._locks[scope]:
            if self._state.token(scope, time.monotonic()) is not None:
                return
            wanted = self._state.request(scope)
            request = _checked(wanted, self._base, reach)
            answer = await self._send(request)
            if answer.status in _REFUSALS:
                raise _refused(request, answer)
            if answer.status != 200:  # noqa: PLR2004 (the one status of success here)
                raise faults.error_of(
                    _OPERATION, request.shown_url, answer.status, answer.headers, answer.body
                )
            if self._state.accept(wanted, _json(answer.body), time.monotonic()) is None:
                raise _error(request, answer, "the answer holds no token")


def _checked(wanted: TokenRequest, base: URL, reach: guard.Reach) -> Request:
    """Return the request for a token; the realm may lie no deeper than the registry."""
    realm = transport.resolve(base, wanted.realm)
    if base.scheme == "https" and realm.scheme != "https":
        raise _realm_refused(realm, "the registry is https and its token realm is plain http")
    headers: dict[str, str] = {"Accept": "application/json"}
    if wanted.authorization is not None:
        headers["Authorization"] = wanted.authorization
    if wanted.form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    return Request(
        operation=_OPERATION,
        method=wanted.method,
        url=realm.extend_query(list(wanted.query)) if wanted.query else realm,
        headers=headers,
        body=wanted.form,
        within=reach,
    )


def _realm_refused(realm: URL, message: str) -> ExchangeError:
    return Refused(message, operation=_OPERATION, url=redacted(realm))


def _refused(request: Request, answer: TokenAnswer) -> RegistryError:
    given = "Authorization" in request.headers or request.body is not None
    return _error(request, answer, "the token endpoint gave no token", faults.remedy(given=given))


def _error(request: Request, answer: TokenAnswer, message: str, remedy: str = "") -> RegistryError:
    said = faults.parse(answer.body)
    text = "; ".join(fault.message or fault.code for fault in said)
    sentence = f"{message}: {text}" if text else message
    return Unauthorized(
        f"{sentence}; {remedy}" if remedy else sentence,
        operation=_OPERATION,
        url=request.shown_url,
        status=answer.status,
        faults=said,
    )


def _json(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
