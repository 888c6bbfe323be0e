"""What to show a registry, decided without IO: challenges in, headers and token requests out.

A *scope* is a frozenset of `type:name:action`, one action each, so that "does this token cover
that request" is set arithmetic. https://distribution.github.io/distribution/spec/auth/scope/
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from protocol.challenge import Challenge
from protocol.credential import Credential

Scope = frozenset[str]

CATALOG: Scope = frozenset({"registry:catalog:*"})
NOTHING: Scope = frozenset()
DEFAULT_LIFE_SECONDS = 60
MARGIN_SECONDS = 5
CLIENT_ID = "transship"


def scope(repository: str, *actions: str) -> Scope:
    """Return the scope of some actions on a repository."""
    return frozenset(f"repository:{repository}:{action}" for action in actions)


def grouped(wanted: Scope) -> list[str]:
    """Write a scope as a token endpoint wants it: `repository:a/b:pull,push`, sorted."""
    heads: dict[str, list[str]] = {}
    for one in sorted(wanted):
        head, _, action = one.rpartition(":")
        heads.setdefault(head, []).append(action)
    return [f"{head}:{','.join(actions)}" for head, actions in heads.items()]


def single(text: str) -> Scope:
    """Read a challenge's `scope` parameter."""
    result = set()
    for part in text.split():
        head, _, actions = part.rpartition(":")
        result |= {f"{head}:{action}" for action in actions.split(",") if head and action}
    return frozenset(result)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token; `good_until` is on the caller's monotonic clock."""

    value: str = field(repr=False)
    scope: Scope
    good_until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """How to ask for a token: a GET with a query, or a POST with a form (OAuth2)."""

    method: str
    realm: str
    query: Sequence[tuple[str, str]]
    scope: Scope
    authorization: str | None = field(default=None, repr=False)
    form: bytes | None = field(default=None, repr=False)


@dataclass(slots=True)
class Authorization:
    """What one registry is known to want from one credential."""

    credential: Credential | None = None
    _bearer: Challenge | None = None
    _basic: bool = False
    _tokens: list[Token] = field(default_factory=list)

    @property
    def is_bearer(self) -> bool:
        """Whether tokens are wanted."""
        return self._bearer is not None

    @property
    def is_known(self) -> bool:
        """Whether a challenge was seen."""
        return self._basic or self._bearer is not None

    def learn(self, challenges: Sequence[Challenge]) -> bool:
        """Take in a 401's challenges; say whether one of them can be met."""
        for challenge in challenges:
            if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
                self._bearer = challenge
                return True
        self._basic = self._basic or any(each.scheme == "basic" for each in challenges)
        return self._basic and self._basic_header() is not None

    def assume_basic(self) -> bool:
        """Settle for Basic where a registry says 401 and nothing else; say if we have any."""
        self._basic = True
        return self._basic_header() is not None

    def header(self, wanted: Scope, now: float) -> str | None:
        """Return the Authorization header for a request; None when there is none yet."""
        if self._bearer is not None:
            token = self.token(wanted, now)
            return None if token is None else f"Bearer {token.value}"
        return self._basic_header() if self._basic else None

    def token(self, wanted: Scope, now: float) -> Token | None:
        """Return a token that covers `wanted` and is still good."""
        for token in self._tokens:
            if wanted <= token.scope and now < token.good_until:
                return token
        return None

    def forget(self, value: str) -> None:
        """Drop a token that was refused."""
        self._tokens = [each for each in self._tokens if f"Bearer {each.value}" != value]

    def request(self, wanted: Scope) -> TokenRequest:
        """Return how to get a token for `wanted`."""
        assert self._bearer is not None, "a token request needs a Bearer challenge"  # noqa: S101
        parameters = self._bearer.parameters
        realm, service = parameters["realm"], parameters.get("service", "")
        if not wanted:
            wanted = single(parameters.get("scope", ""))
        if self.credential is not None and self.credential.identity_token:
            form = {
                "grant_type": "refresh_token",
                "service": service,
                "client_id": CLIENT_ID,
                "scope": " ".join(grouped(wanted)),
                "refresh_token": self.credential.identity_token,
            }
            return TokenRequest(
                method="POST",
                realm=realm,
                query=(),
                scope=wanted,
                form=urlencode(form).encode(),
            )
        query = [("service", service)] if service else []
        query += [("scope", each) for each in grouped(wanted)]
        if self.credential is not None and self.credential.username:
            query.append(("account", self.credential.username))
        return TokenRequest(
            method="GET",
            realm=realm,
            query=query,
            scope=wanted,
            authorization=self._basic_header(),
        )

    def accept(self, request: TokenRequest, answer: Any, now: float) -> Token | None:
        """Take in a token endpoint's JSON; None when there is no token in it.

        `issued_at` is not used: clocks differ, and the moment of the answer is known.
        """
        if not isinstance(answer, Mapping):
            return None
        value = answer.get("token") or answer.get("access_token")
        if not isinstance(value, str) or not value.isprintable():
            return None
        self._tokens = [each for each in self._tokens if now < each.good_until]
        life = max(_seconds(answer.get("expires_in")), DEFAULT_LIFE_SECONDS)
        token = Token(value=value, scope=request.scope, good_until=now + life - MARGIN_SECONDS)
        self._tokens.append(token)
        return token

    def _basic_header(self) -> str | None:
        if self.credential is None or not self.credential.username:
            return None
        pair = f"{self.credential.username}:{self.credential.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


def _seconds(value: object) -> float:
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if usable else DEFAULT_LIFE_SECONDS  # type: ignore[arg-type]  # checked
