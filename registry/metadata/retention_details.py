"""What only some rules of retention ask about artifacts, looked up for a page of them at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Final

from database.pool import Record
from registry.retention.artifact import Artifact
from registry.retention.criterion import Fact

Fetch = Callable[..., Awaitable[Sequence[Record]]]

LABELS: Final = """
SELECT m.id, array_agg(l.name) AS labels FROM registry.manifests m
JOIN registry.manifest_labels c ON c.repository_id = m.repository_id AND c.digest = m.digest
JOIN registry.labels l ON l.id = c.label_id
WHERE m.repository_id = $1 AND m.id = ANY($2) GROUP BY m.id
"""


async def add(
    fetch: Fetch, page: Sequence[Artifact], facts: AbstractSet[Fact]
) -> Sequence[Artifact]:
    """Return a page with what rules ask for; `fetch` knows the repository, the $1 of queries."""
    if not page or Fact.LABELS not in facts:
        return page
    rows = await fetch(LABELS, [one.id for one in page])
    labels = {row["id"]: frozenset[str](row["labels"]) for row in rows}
    return [replace(one, labels=labels.get(one.id, frozenset())) for one in page]
