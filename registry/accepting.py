"""Accepting a manifest: everything it needs must be in its repository, then it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from database.pool import Connection
from protocol.digest import Digest
from registry import immutability
from registry.contents import Contents
from registry.errors import refusal
from registry.immutability import ImmutableRule
from registry.metadata import manifest_writes
from registry.metadata.manifest_writes import Edge, NewManifest

_OPERATION = "push manifest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """How a manifest comes. `rules` keep tags where they are. Unless it `is_told`, nobody hears."""

    tags: Sequence[str]
    by: str
    rules: Sequence[ImmutableRule] = ()
    is_told: bool = True


async def accept(
    connection: Connection,
    contents: Contents,
    body: bytes,
    *,
    repository: tuple[int, str],
    push: Push,
) -> None:
    """Write a manifest inside a transaction; raise ImmutableTag, a refusal MANIFEST_BLOB_UNKNOWN.

    After an error the transaction must not be committed.
    """
    repository_id, repository_name = repository
    named = [*contents.children, *contents.others]
    manifests = await manifest_writes.lock_children(
        connection, repository_id, [digest for digest, _ in named]
    )
    entries = [(digest, "entry") for digest, _ in contents.others if digest not in manifests]
    wanted = [*contents.blobs, *entries]
    links = await manifest_writes.lock_links(
        connection, repository_id, [digest for digest, _ in wanted]
    )
    missing = [digest for digest, _ in contents.children if digest not in manifests]
    missing += [digest for digest, _ in wanted if digest not in links]
    if missing:
        raise _incomplete(repository_name, missing)
    immutable = immutability.taken(push.rules, repository_name, push.tags)
    new = NewManifest(
        repository_id=repository_id,
        entry=contents.entry,
        body=body,
        subject=contents.subject,
        config_media_type=contents.config_media_type,
        pushed_by=push.by,
        blobs=[Edge(id=links[digest], digest=digest, label=role) for digest, role in wanted],
        children=[
            Edge(id=manifests[digest], digest=digest, label=platform)
            for digest, platform in named
            if digest in manifests
        ],
        tags=push.tags,
        immutable_tags=list(immutable),
        is_told=push.is_told,
    )
    if unmoved := await manifest_writes.write(connection, new):
        raise immutability.not_moved(repository_name, {tag: immutable[tag] for tag in unmoved})


def _incomplete(repository: str, missing: Sequence[Digest]) -> Exception:
    messages = [f"{digest} is not in repository {repository}; push it first" for digest in missing]
    return refusal("MANIFEST_BLOB_UNKNOWN", messages, operation=_OPERATION, repository=repository)
