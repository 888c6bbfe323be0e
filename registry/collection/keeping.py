"""What a project's immutable tags keep from collection."""

from __future__ import annotations

from collections.abc import Sequence

from database.pool import Connection
from registry import immutability
from registry.metadata import collection_manifests, immutable_rules


async def kept_by_rules(connection: Connection, ids: Sequence[int]) -> frozenset[int]:
    """Return those of the manifests that have a tag which a rule names: it is never deleted."""
    tagged = await collection_manifests.tags(connection, ids)
    rules = {
        repository: bound.rules
        for repository in {one.repository for one in tagged}
        if (bound := await immutable_rules.binding(connection, repository)) is not None
    }
    return frozenset(
        one.id
        for one in tagged
        if immutability.taken(rules.get(one.repository, ()), one.repository, [one.name])
    )
