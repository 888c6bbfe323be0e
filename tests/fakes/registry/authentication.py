"""Who gets into the fake registry: anybody, Basic, or Bearer with a token endpoint of its own."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(slots=True, kw_only=True)
class Door:
    """The fake's authentication; `scheme` is "open", "basic" or "bearer".

    Tokens are good for what was asked until `expire_tokens`. `token_field`, `expires_in` and
    `issued_at` shape the token answer (None leaves a field out); `realm` replaces the realm.
    `identity_token` is what a POST must bring as refresh_token; `bare_401` leaves the challenge
    out, `bare_on` only for some kinds; `guards_ping` wants a token of any scope for `/v2/`.
    """

    scheme: str = "open"
    username: str = ""
    password: str = ""
    identity_token: str = ""
    token_field: str = "token"
    expires_in: int | None = 300
    issued_at: str | None = "2026-11-23T00:00:00Z"
    realm: str | None = None
    bare_401: bool = False
    bare_on: frozenset[str] = frozenset()
    guards_ping: bool = False
    anonymous_pull: bool = False
    challenge: str | None = None
    tokens: dict[str, frozenset[str]] = field(default_factory=dict)
    issued: list[frozenset[str]] = field(default_factory=list)

    def expire_tokens(self) -> None:
        """Forget every token that was handed out."""
        self.tokens.clear()

    def admits(self, request: web.Request, kind: str, scope: frozenset[str]) -> bool:
        """Say whether the request may go on; `scope` holds `type:name:action`."""
        if kind == "ping" and not (self.guards_ping or self.bare_on):
            return True
        authorization = request.headers.get("Authorization", "")
        if self.scheme == "open":
            return True
        if self.scheme == "basic":
            return self._basic(authorization)
        token = authorization.removeprefix("Bearer ")
        return token in self.tokens and scope <= self.tokens[token]

    def refuse(self, base_url: str, kind: str, scope: frozenset[str]) -> web.Response:
        """Answer 401 with the challenge."""
        bare = self.bare_401 or kind in self.bare_on
        headers = {} if bare else {"WWW-Authenticate": self._challenge(base_url, scope)}
        return web.json_response(
            {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]},
            status=401,
            headers=headers,
        )

    async def token(self, request: web.Request) -> web.Response:
        """Serve the token endpoint: GET with Basic, POST with an identity token."""
        if request.method == "POST":
            form = await request.post()
            if not self.identity_token or form.get("refresh_token") != self.identity_token:
                return web.json_response({"errors": None}, status=401)
            asked = [str(form.get("scope", ""))]
        else:
            authorization = request.headers.get("Authorization", "")
            if not self._may_have_token(authorization):
                return web.json_response({"errors": None}, status=401)
            asked = request.query.getall("scope", [])
        return web.json_response(self._issue(asked, request))

    def _may_have_token(self, authorization: str) -> bool:
        if self.anonymous_pull and not authorization:
            return True
        return not self.username or self._basic(authorization)

    def _issue(self, asked: list[str], request: web.Request) -> dict[str, object]:
        granted = frozenset(one for text in asked for one in _single_actions(text))
        if self.anonymous_pull and "Authorization" not in request.headers:
            granted = frozenset(one for one in granted if one.endswith(":pull"))
        token = secrets.token_hex(16)
        self.tokens[token] = granted
        self.issued.append(granted)
        answer: dict[str, object] = {self.token_field: token}
        if self.expires_in is not None:
            answer["expires_in"] = self.expires_in
        if self.issued_at is not None:
            answer["issued_at"] = self.issued_at
        return answer

    def _basic(self, authorization: str) -> bool:
        expected = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        return authorization == f"Basic {expected}"

    def _challenge(self, base_url: str, scope: frozenset[str]) -> str:
        if self.challenge is not None:
            return self.challenge
        if self.scheme == "basic":
            return 'BASIC realm="the, fake"'
        realm = self.realm or f"{base_url}/token"
        return f'Bearer realm="{realm}",service="fake",scope="{" ".join(_grouped(scope))}"'


def _single_actions(text: str) -> list[str]:
    result = []
    for scope in text.split():
        head, _, actions = scope.rpartition(":")
        result += [f"{head}:{action}" for action in actions.split(",")]
    return result


def _grouped(scope: frozenset[str]) -> list[str]:
    heads: dict[str, list[str]] = {}
    for one in sorted(scope):
        head, _, action = one.rpartition(":")
        heads.setdefault(head, []).append(action)
    return [f"{head}:{','.join(actions)}" for head, actions in heads.items()]
