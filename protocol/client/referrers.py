"""Referrers over the wire: by the API, by the fallback tag, or by both.

distribution-spec, Listing Referrers; Referrers Tag Schema.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus

from protocol import manifest as manifests_of
from protocol import media_types
from protocol import referrers as schema
from protocol.client import paging
from protocol.client.exchange import Call, Exchange, Reply
from protocol.client.manifests import Manifests
from protocol.client.memory import Ability, Memory
from protocol.client.paths import Paths
from protocol.content import RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.errors import (
    Denied,
    InvalidManifest,
    NotFound,
    Rejected,
    Unauthorized,
    Unsupported,
)

_WRITE_ATTEMPTS = 5
_LISTED = {"Accept": media_types.OCI_INDEX}


class Referrers:
    """Lists what refers to a manifest of one repository, and keeps the fallback tags up."""

    def __init__(
        self, exchange: Exchange, paths: Paths, manifests: Manifests, memory: Memory
    ) -> None:
        self._exchange = exchange
        self._paths = paths
        self._manifests = manifests
        self._memory = memory

    async def of(
        self, subject: Digest, *, artifact_type: str | None = None
    ) -> AsyncIterator[Descriptor]:
        """Yield every referrer once.

        The fallback tag is read where there is no API, when a repository is asked for the first
        time, and where fallback tags were seen beside the API (GHCR, Harbor; peers.md §6.27); never
        where a listing of all tags, minutes ago at most, had no such tag.
        """
        seen: set[Digest] = set()
        known = self._memory.recall(Ability.REFERRERS, self._paths.name)
        answered = False
        if known is not False:
            async for found in self._by_api(subject, artifact_type):
                answered = True
                for each in _fresh(found, artifact_type, seen):
                    yield each
        if not self._doubts(first_time=known is None or not answered):
            return
        fallback = _fresh(await self._by_tag(subject), artifact_type, seen)
        if fallback and answered:
            self._memory.note(Ability.FALLBACK_TAGS, self._paths.name, answer=True)
        for each in fallback:
            yield each

    async def record(self, manifest: RawManifest, answered_subject: str | None) -> None:
        """See to it that a written manifest is listed under its subject.

        A registry that knows referrers says so with OCI-Subject; else the fallback index is read,
        merged and written, by one writer at a time, and read again until the entry is there.
        """
        subject = _subject(manifest)
        if subject is None:
            return
        if answered_subject is not None and answered_subject.strip() == str(subject.digest):
            self._memory.note(Ability.REFERRERS, self._paths.name, answer=True)
            return
        self._memory.note(Ability.REFERRERS, self._paths.name, answer=False)
        tag = schema.fallback_tag(subject.digest)
        async with self._exchange.transport.one_writer(self._writer(tag)):
            await self._merge(tag, schema.entry(manifest))

    async def strike(self, manifest: RawManifest) -> None:
        """Take a manifest that was deleted off the fallback list of its subject."""
        subject = _subject(manifest)
        if subject is None:
            return
        tag = schema.fallback_tag(subject.digest)
        async with self._exchange.transport.one_writer(self._writer(tag)):
            existing, etag = await self._existing(tag)
            if existing is None:
                return
            remaining = schema.without(existing, manifest.digest)
            if remaining is not existing:
                await self._manifests.write(remaining, tag, if_match=etag)

    def _writer(self, tag: str) -> str:
        return f"{self._exchange.text}/{self._paths.name}:{tag}"

    async def _merge(self, tag: str, referrer: Descriptor) -> None:
        for _ in range(_WRITE_ATTEMPTS):
            existing, etag = await self._existing(tag)
            merged = schema.merge(existing, referrer)
            if merged is existing:
                return
            try:
                await self._manifests.write(merged, tag, if_match=etag)
            except Rejected as error:
                if error.status != HTTPStatus.PRECONDITION_FAILED:
                    raise
        existing, _etag = await self._existing(tag)
        if schema.merge(existing, referrer) is not existing:
            raise InvalidManifest(
                f"the referrers tag {tag} of {self._paths.name} is written by somebody else all "
                f"the time: {referrer.digest} could not be entered; run the copy again"
            )

    async def _existing(self, tag: str) -> tuple[RawManifest | None, str | None]:
        try:
            return await self._manifests.read_with_etag(tag)
        except NotFound:
            return None, None

    def _doubts(self, *, first_time: bool) -> bool:
        """Say whether a fallback tag may tell more: not if a listing has just shown none."""
        tags = self._memory.recall(Ability.FALLBACK_TAGS, self._paths.name)
        return first_time if tags is None else tags

    async def _by_api(
        self, subject: Digest, artifact_type: str | None
    ) -> AsyncIterator[tuple[Descriptor, ...]]:
        """Yield the API's pages; nothing where there is no API."""
        path: str | None = self._paths.referrers(subject)
        if artifact_type is not None:
            path = str(self._exchange.url(path or "").update_query(artifactType=artifact_type))
            path = path.removeprefix(self._exchange.text)
        asked: set[str] = set()
        while path is not None and path not in asked:
            asked.add(path)
            reply = await self._ask(path, is_first=len(asked) == 1)
            if reply is None:
                return
            yield _entries(reply)
            path = paging.next_cursor(self._exchange, reply)

    async def _ask(self, path: str, *, is_first: bool) -> Reply | None:
        call = Call(
            operation="list referrers",
            method="GET",
            url=self._exchange.url(path),
            kind="referrers",
            scope=self._paths.pull,
            headers=_LISTED,
        )
        name = self._paths.name
        try:
            reply = await self._exchange.read(call)
        except (NotFound, Unsupported, Rejected):
            if not is_first:
                raise
            self._memory.note(Ability.REFERRERS, name, answer=False)
            return None
        except (Unauthorized, Denied):
            # Not a word about the ability, and the fallback tag tells whether we may read at all.
            if not is_first:
                raise
            return None
        kind = media_types.bare(reply.headers.get("Content-Type", ""))
        is_index = kind in {media_types.OCI_INDEX, "application/json"}
        self._memory.note(Ability.REFERRERS, name, answer=is_index)
        return reply if is_index else None

    async def _by_tag(self, subject: Digest) -> tuple[Descriptor, ...]:
        existing, _ = await self._existing(schema.fallback_tag(subject))
        if existing is None:
            return ()
        parsed = manifests_of.parse(existing)
        return parsed.manifests if isinstance(parsed, manifests_of.Index) else ()


def _subject(manifest: RawManifest) -> Descriptor | None:
    if b'"subject"' not in manifest.body:
        return None
    return manifests_of.parse(manifest).subject


def _fresh(
    found: Sequence[Descriptor], artifact_type: str | None, seen: set[Digest]
) -> list[Descriptor]:
    """Return what is of the wanted type and was not seen yet, and note it."""
    fresh = {
        each.digest: each
        for each in schema.with_artifact_type(found, artifact_type)
        if each.digest not in seen
    }
    seen.update(fresh)
    return list(fresh.values())


def _entries(reply: Reply) -> tuple[Descriptor, ...]:
    raw = RawManifest(
        media_type=media_types.OCI_INDEX, digest=Digest.of(reply.body), body=reply.body
    )
    parsed = manifests_of.parse(raw)
    return parsed.manifests if isinstance(parsed, manifests_of.Index) else ()
