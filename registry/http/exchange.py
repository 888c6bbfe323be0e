"""One request to /v2/: who asks, for which resource, and what handlers need to answer."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from aiohttp import hdrs, web

from access.authentication import Authenticator
from access.errors import InvalidCredentials
from access.identity import ANONYMOUS, Principal
from protocol.digest import Digest, is_digest
from registry import agents
from registry.errors import refusal
from registry.events import Action
from registry.http.bodies import Bodies
from registry.http.paths import Target
from registry.metadata.manifests import Found
from registry.repository import LocalRepository
from registry.service import Registry
from registry.uses import Used

PAGE: Final = 100
PAGE_LIMIT: Final = 10_000
# Where a request carries what it did.
ACTED: Final = web.RequestKey("acted", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request with its principal and its target."""

    request: web.Request
    registry: Registry
    principal: Principal
    target: Target
    bodies: Bodies

    @property
    def repository(self) -> LocalRepository:
        """Return the repository that the path names; raise a refusal NAME_INVALID."""
        return self.registry.repository(self.target.repository, self.principal)

    @property
    def digest(self) -> Digest:
        """Return the digest that the path names; raise InvalidDigest."""
        return Digest.parse(self.target.reference)

    def page(self) -> tuple[int, str]:
        """Return `n` and `last`; raise a refusal PAGINATION_NUMBER_INVALID."""
        text = self.request.query.get("n", str(PAGE))
        if not (text.isascii() and text.isdigit()):
            raise refusal(
                "PAGINATION_NUMBER_INVALID", f"n={text[:40]!r} is no number", operation="list"
            )
        return min(int(text[:9]), PAGE_LIMIT), self.text("last") or ""

    def text(self, name: str) -> str | None:
        """Return a query parameter; raise a refusal NAME_INVALID for what is no text."""
        value = self.request.query.get(name)
        if value is not None and "\0" in value:
            raise refusal("NAME_INVALID", f"{name} holds a NUL character", operation="read a query")
        return value

    def acted(self, action: Action) -> None:
        """Say what this request did, for whoever counts requests."""
        self.request[ACTED] = action.value

    def note_use(self, found: Found, *, is_pull: bool = False) -> None:
        """Remember that a client used a manifest, unless it only looks or copies."""
        if not agents.counts_as_use(self.request.headers.get(hdrs.USER_AGENT, "")):
            return
        reference = self.target.reference
        used = Used(
            repository_id=found.repository_id,
            manifest_id=found.id,
            tag="" if is_digest(reference) else reference,
        )
        if is_pull:
            self.registry.uses.pulled(used, by=self.principal.username)
        else:
            self.registry.uses.note(used)

    def body(self) -> AsyncIterator[bytes]:
        """Yield the request's body as it comes; raise ClientSilent."""
        return self.bodies.chunks(self.request, self.registry.admission.portions)


async def identify(request: web.Request, authenticator: Authenticator) -> Principal:
    """Return who asks, by Basic credentials; raise InvalidCredentials."""
    header = request.headers.get(hdrs.AUTHORIZATION)
    if header is None:
        return ANONYMOUS
    scheme, _, encoded = header.partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        given = ""
    username, colon, password = given.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise InvalidCredentials("the Authorization header is not Basic (RFC 7617)")
    if not username and not password:  # containers/image answers a Basic challenge so (skopeo 1.9)
        return ANONYMOUS
    return await authenticator.basic(username, password)
