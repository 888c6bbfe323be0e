"""Delete what retention decided about, where it is still as it was then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from database import pool
from database.pool import Connection
from protocol.digest import Digest
from registry import immutability
from registry.immutability import ImmutableRule
from registry.metadata import immutable_rules, manifests, retiring, tags

REASON: Final = "retention"
GONE: Final = "it is gone already"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condemned:
    """An artifact as it was decided about, with all its tags; with `tag` only that one goes.

    `used_at` is when it or one of its tags, or that one, was last pushed, pulled or used;
    `decided_at` is from before that was looked up.
    """

    digest: Digest
    tags: tuple[str, ...]
    used_at: datetime
    decided_at: datetime
    tag: str | None = None
    overrides_immutable: bool = False


async def retire(
    connection: Connection, repository: str, condemned: Sequence[Condemned], *, by: str
) -> list[str]:
    """Delete within the open transaction; return for each why not, empty for what is gone now.

    Looked at again under lock: what has other tags by now, was used, or is needed stays.
    """
    standing = await retiring.lock(connection, repository, [one.digest for one in condemned])
    bound = await immutable_rules.binding(connection, repository)
    rules = bound.rules if bound is not None else ()
    refusals = []
    for one in condemned:
        refusal = _refusal(one, standing.get(one.digest)) or _immutable(one, repository, rules)
        refusals.append(refusal or await _retire(connection, repository, one, by))
    return refusals


async def _retire(connection: Connection, repository: str, condemned: Condemned, by: str) -> str:
    try:
        async with connection.transaction():
            if condemned.tag is not None:
                await tags.delete(connection, repository, condemned.tag, by=by, reason=REASON)
            else:
                await manifests.delete(
                    connection, repository, condemned.digest, by=by, reason=REASON
                )
    except pool.REFERENCE_VIOLATIONS:
        parents = await manifests.parents(connection, repository, condemned.digest)
        return f"it is part of {', '.join(map(str, parents)) or 'something else'}"
    return ""


def _immutable(condemned: Condemned, repository: str, rules: Sequence[ImmutableRule]) -> str:
    """Say which tag may not go; its rule may be newer than the decision."""
    if condemned.overrides_immutable:
        return ""
    going = condemned.tags if condemned.tag is None else (condemned.tag,)
    for tag, rule in immutability.taken(rules, repository, going).items():
        return f"tag {tag} is immutable by rule {rule.id}"
    return ""


def _refusal(condemned: Condemned, standing: retiring.Standing | None) -> str:
    if standing is None:
        return GONE
    if condemned.tag is not None:
        changed = standing.tag_changed(condemned.tag, condemned.used_at, condemned.decided_at)
    else:
        changed = standing.changed(condemned.tags, condemned.used_at, condemned.decided_at)
    return standing.protection or changed
