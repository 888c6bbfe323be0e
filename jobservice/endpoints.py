"""Registry endpoints: adding, changing, trying and removing them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

from access import audit
from adapters.base import AdapterInfo
from database.pool import Connection, Database
from jobservice import unbuilt
from jobservice.checking import Checker
from jobservice.connecting import LAYOUT_KIND, LOCAL_ENDPOINT, Connector, described
from jobservice.domain import limits
from jobservice.domain import zone as zones
from jobservice.domain.endpoint import (
    LOCAL_ID,
    LOCAL_KIND,
    CredentialType,
    EndpointSettings,
    Handling,
    StoredEndpoint,
)
from jobservice.domain.listing import Listing, Rows
from jobservice.errors import (
    Changed,
    EndpointInUse,
    InvalidRequest,
    NameTaken,
    NotFound,
)
from jobservice.store import endpoints as rows
from jobservice.store import retentions
from protocol.credential import Credential

MASK = "*****"
NAME_LIMIT = 64

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is to be different; None leaves a setting as it is."""

    name: str | None = None
    kind: str | None = None
    url: str | None = None
    credential_type: str | None = None
    access_key: str | None = None
    access_secret: str | None = field(default=None, repr=False)
    insecure: bool | None = None
    ca_certificate: str | None = None
    description: str | None = None
    handling: Handling | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """The use cases of registry endpoints."""

    database: Database
    connector: Connector

    async def page(self, listing: Listing) -> Rows[StoredEndpoint]:
        """Return one page."""
        async with self.database.connection() as connection:
            return await rows.page(connection, listing)

    async def get(self, endpoint_id: int) -> StoredEndpoint:
        """Return an endpoint; raise NotFound."""
        async with self.database.connection() as connection:
            found = await rows.get(connection, endpoint_id)
        if found is None:
            raise NotFound("registry", endpoint_id)
        return found

    async def create(self, wanted: Changes) -> int:
        """Check a registry, then remember it; raise InvalidRequest, NameTaken."""
        settings = _applied(EndpointSettings(name="", kind="", url=""), wanted)
        secret = wanted.access_secret or ""
        self._refuse(settings, secret)
        await self._refuse_taken(settings.name)
        await self._check(settings, secret)
        async with self.database.transaction() as connection:
            endpoint_id = await rows.next_id(connection)
            sealed = self.connector.seal(endpoint_id, secret)
            await rows.insert(connection, endpoint_id, settings, sealed)
            await _record(connection, audit.Event.CREATE_REGISTRY, endpoint_id, settings)
        return endpoint_id

    async def update(self, endpoint_id: int, wanted: Changes) -> None:
        """Check the registry as it is to be, then remember it; raises as `create`, and NotFound."""
        before = await self.get(endpoint_id)
        settings, secret = self._changed(before, wanted)
        self._refuse(settings, secret)
        if settings.name != before.settings.name:
            await self._refuse_taken(settings.name)
        await self._check(settings, secret)
        async with self.database.transaction() as connection:
            now = await rows.get_locked(connection, endpoint_id)
            if now is None:
                raise NotFound("registry", endpoint_id)
            if now.updated_at != before.updated_at:
                raise Changed("registry", endpoint_id)
            await _refuse_apart(connection, endpoint_id, settings.handling.zone)
            sealed = self.connector.seal(endpoint_id, secret)
            await rows.update(connection, endpoint_id, settings, sealed)
            await _record(connection, audit.Event.UPDATE_REGISTRY, endpoint_id, settings)

    async def ping(self, endpoint_id: int | None, wanted: Changes) -> None:
        """Try a registry, stored or not; raise UnhealthyEndpoint with the reason.

        What is found of a stored one as it stands is remembered.
        """
        if endpoint_id == LOCAL_ID:
            return await self._checker.check(LOCAL_ENDPOINT, None)
        if endpoint_id is None:
            settings = _applied(EndpointSettings(name="ping", kind="", url=""), wanted)
            secret = wanted.access_secret or ""
        else:
            stored = await self.get(endpoint_id)
            settings, secret = self._changed(stored, wanted)
            if settings == stored.settings and wanted.access_secret in {None, MASK}:
                return await self._checker.check_stored(stored)
        self._refuse(settings, secret)
        return await self._check(settings, secret)

    async def delete(self, endpoint_id: int) -> None:
        """Forget an endpoint that nothing uses; raise NotFound, EndpointInUse."""
        async with self.database.transaction() as connection:
            found = await rows.get_locked(connection, endpoint_id)
            if found is None:
                raise NotFound("registry", endpoint_id)
            users = await rows.policies_using(connection, endpoint_id)
            if users:
                raise EndpointInUse(
                    f"registry {endpoint_id} is used by replication policies"
                    f" ({', '.join(users)}); change or delete them first"
                )
            keepers = await retentions.of_endpoint(connection, endpoint_id)
            if keepers:
                raise EndpointInUse(
                    f"registry {endpoint_id} has retention policies"
                    f" ({', '.join(map(str, keepers))}); delete them first"
                )
            running = await rows.executions_using(connection, endpoint_id)
            if running:
                raise EndpointInUse(
                    f"registry {endpoint_id} is used by executions that are not finished"
                    f" ({', '.join(map(str, running))}); stop them or wait for their end"
                )
            await rows.delete(connection, endpoint_id)
            await _record(connection, audit.Event.DELETE_REGISTRY, endpoint_id, found.settings)

    async def info(self, endpoint_id: int) -> AdapterInfo:
        """Return what the endpoint's adapter declares; raise NotFound."""
        kind = LOCAL_KIND
        if endpoint_id != LOCAL_ID:
            kind = (await self.get(endpoint_id)).settings.kind
        kinds = self.connector.kinds()
        if kind not in kinds:
            raise NotFound("adapter", kind)
        return kinds[kind]

    def kinds(self) -> dict[str, AdapterInfo]:
        """Return the kinds of which endpoints can be made."""
        return {k: info for k, info in self.connector.kinds().items() if info.creatable}

    def _changed(self, before: StoredEndpoint, wanted: Changes) -> tuple[EndpointSettings, str]:
        """Apply changes; a secret is only ever sent to the address that it was given for."""
        settings = _applied(before.settings, wanted)
        given = wanted.access_secret
        if given is not None and given != MASK:
            return settings, given
        if settings.url != before.settings.url:
            return settings, ""
        return settings, self.connector.secret(before)

    def _refuse(self, settings: EndpointSettings, secret: str) -> None:
        found = [*_problems(settings), *_kind_problems(settings.kind, self.kinds())]
        if secret == MASK:
            found.append(f"credential.access_secret: {MASK} stands for a secret, it is none")
        if found:
            raise InvalidRequest(found)

    async def _refuse_taken(self, name: str) -> None:
        async with self.database.connection() as connection:
            if await rows.get_by_name(connection, name) is not None:
                raise NameTaken("registry", name)

    async def _check(self, settings: EndpointSettings, secret: str) -> None:
        credential = None
        if settings.access_key or secret:
            credential = Credential(username=settings.access_key, password=secret)
        await self._checker.check(described(settings), credential)

    @property
    def _checker(self) -> Checker:
        return Checker(database=self.database, connector=self.connector)


async def _record(
    connection: Connection, event: audit.Event, endpoint_id: int, settings: EndpointSettings
) -> None:
    entry = audit.Entry(
        event=event,
        resource=settings.name,
        details={"id": endpoint_id, "type": settings.kind, "url": settings.url},
    )
    await audit.record(connection, entry)


def _applied(before: EndpointSettings, wanted: Changes) -> EndpointSettings:
    url = before.url if wanted.url is None else wanted.url.strip().rstrip("/")
    certificate = _either(wanted.ca_certificate, before.ca_certificate) or None
    access_key = _either(wanted.access_key, before.access_key)
    return EndpointSettings(
        name=_either(wanted.name, before.name),
        kind=_either(wanted.kind, before.kind),
        url=url,
        credential_type=_credential_type(wanted, has_any=bool(access_key)),
        access_key=access_key,
        insecure=_either(wanted.insecure, before.insecure),
        ca_certificate=certificate,
        description=_either(wanted.description, before.description),
        handling=_either(wanted.handling, before.handling),
    )


def _either(wanted: Value | None, before: Value) -> Value:
    return before if wanted is None else wanted


def _credential_type(wanted: Changes, *, has_any: bool) -> CredentialType:
    if wanted.credential_type:
        refused = list(unbuilt.problems("credential.type", wanted.credential_type))
        if refused:
            raise InvalidRequest(refused)
        try:
            return CredentialType(wanted.credential_type)
        except ValueError:
            message = f"credential.type: {wanted.credential_type!r} is not known; use 'basic'"
            raise InvalidRequest([message]) from None
    return CredentialType.BASIC if has_any or wanted.access_secret else CredentialType.NONE


async def _refuse_apart(connection: Connection, endpoint_id: int, zone: str | None) -> None:
    apart = zone and await rows.policies_apart(connection, endpoint_id, zone)
    if apart:
        raise InvalidRequest(
            [f"transship.zone: not that of the other end of policies ({', '.join(apart)})"]
        )


def _problems(settings: EndpointSettings) -> Iterator[str]:
    if not settings.name.strip():
        yield "name: is missing"
    elif len(settings.name) > NAME_LIMIT:
        yield f"name: has {len(settings.name)} characters, {NAME_LIMIT} are allowed"
    if not settings.url:
        yield "url: is missing"
    elif settings.kind != LAYOUT_KIND:
        yield from _url_problems(settings.url)
    if settings.ca_certificate is not None:
        yield from _certificate_problems(settings.ca_certificate)
    yield from zones.problems(settings.handling.zone)
    yield from limits.problems(settings.handling.limits)


def _url_problems(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        yield f"url: does not parse: {error}"
        return
    if parts.scheme not in {"http", "https"} or not host:
        yield "url: write it as https://host[:port], or http:// for a registry without TLS"
    if parts.username is not None or parts.password is not None:
        yield "url: holds a user name or password; give them as credential"
    if parts.query or parts.fragment:
        yield "url: holds a query or a fragment; leave them out"


def _certificate_problems(certificate: str) -> Iterator[str]:
    try:
        ssl.create_default_context(cadata=certificate)
    except (ssl.SSLError, TypeError, ValueError) as error:
        yield f"ca_certificate: is no PEM certificate: {error}"


def _kind_problems(kind: str, known: dict[str, AdapterInfo]) -> Iterator[str]:
    if not kind:
        yield f"type: is missing; known are {', '.join(known)}"
    elif kind == LAYOUT_KIND and kind not in known:
        yield "type: oci-layout is off; TRANSSHIP_LAYOUT_ROOTS names the directories it may use"
    elif kind not in known:
        yield f"type: {kind!r} is no adapter one can add; known are {', '.join(known)}"
