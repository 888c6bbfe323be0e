"""What only some rules of retention ask about artifacts, looked up for a page of them at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from database.pool import Record
from protocol import platform
from registry.metadata import image_configs
from registry.retention import expiry
from registry.retention.artifact import Artifact
from registry.retention.criterion import Fact
from registry.retention.rule_set import RuleSet

# Of a repository, which it gives as the first parameter.
Fetch = Callable[..., Awaitable[Sequence[Record]]]

CRITERIA: Final = (expiry.AT, *expiry.AFTER, expiry.CREATED)
_VALUE_LENGTH: Final = 4096
_NOT_READ: Final = "has not been read yet"

LABELS: Final = """
SELECT m.id, array_agg(l.name) AS labels FROM registry.manifests m
JOIN registry.manifest_labels c ON c.repository_id = m.repository_id AND c.digest = m.digest
JOIN registry.labels l ON l.id = c.label_id
WHERE m.repository_id = $1 AND m.id = ANY($2) GROUP BY m.id
"""
PUSHERS: Final = """
SELECT id, pushed_by FROM registry.manifests WHERE repository_id = $1 AND id = ANY($2)
"""
_AT_KEYS: Final = "FROM unnest($3::text[]) WITH ORDINALITY AS wanted (key, place) ORDER BY place"
ANNOTATIONS: Final = f"""
SELECT m.id, ARRAY(SELECT left(m.annotations ->> key, {_VALUE_LENGTH}) {_AT_KEYS}) AS said
FROM registry.manifests m
WHERE m.repository_id = $1 AND m.id = ANY($2) AND m.annotations <> '{{}}'
"""  # noqa: S608 constants only
_SAID: Final = f"""
    image.id IS NOT NULL AS is_image, image.config_facts IS NULL AS is_unread,
    image.config_facts ->> 'problem' AS problem, image.config_facts ->> 'platform' AS platform,
    ARRAY(SELECT image.config_facts -> 'labels' ->> key {_AT_KEYS}) AS said
"""
# An image has one row, an index one for each of its entries.
CONFIGS: Final = f"""
SELECT image.id, NULL AS entry, {_SAID} FROM registry.manifests image
WHERE image.repository_id = $1 AND image.id = ANY($2) AND image.config_media_type = ANY($4)
UNION ALL
SELECT c.parent_id, c.platform, {_SAID} FROM registry.manifest_children c
LEFT JOIN registry.manifests image ON image.id = c.child_id AND image.config_media_type = ANY($4)
WHERE c.repository_id = $1 AND c.parent_id = ANY($2)
"""  # noqa: S608 constants only


@dataclass(slots=True)
class _Said:
    """What images say: a label of an index is what all of its images say alike."""

    labels: dict[str, str] | None = None
    platforms: set[str] = field(default_factory=set)
    problem: str = ""


async def add(fetch: Fetch, page: Sequence[Artifact], rules: RuleSet) -> Sequence[Artifact]:
    """Return a page of a repository's artifacts with what rules ask for beyond the usual."""
    facts = rules.needed
    ids = [one.id for one in page]
    if Fact.LABELS in facts:
        rows = await fetch(LABELS, ids)
        labels = {row["id"]: frozenset[str](row["labels"]) for row in rows}
        page = [one._replace(labels=labels.get(one.id, frozenset())) for one in page]
    if Fact.PUSHER in facts:
        pushers = {row["id"]: row["pushed_by"] for row in await fetch(PUSHERS, ids)}
        page = [one._replace(pushed_by=pushers.get(one.id, "")) for one in page]
    if rules.annotations:
        page = await _annotated(fetch, page, ids, sorted(rules.annotations))
    if rules.asks_configs:
        page = await _told_by_configs(fetch, page, rules)
    return page


async def _annotated(
    fetch: Fetch, page: Sequence[Artifact], ids: Sequence[int], keys: Sequence[str]
) -> Sequence[Artifact]:
    said = {row["id"]: _values(keys, row) for row in await fetch(ANNOTATIONS, ids, keys)}
    return [
        one._replace(annotations={**one.annotations, **said[one.id]}) if one.id in said else one
        for one in page
    ]


async def _told_by_configs(
    fetch: Fetch, page: Sequence[Artifact], rules: RuleSet
) -> Sequence[Artifact]:
    asks_labels = Fact.ANNOTATIONS in rules.needed
    keys = sorted({*CRITERIA, *rules.annotations})
    judged = {one.id for one in page if one.tags or not (one.parents or one.subject)}
    found: dict[int, _Said] = {}
    for row in await fetch(CONFIGS, list(judged), keys, image_configs.IMAGES):
        if row["entry"] != platform.NONE:
            _gather(found.setdefault(row["id"], _Said()), row, keys, asks_labels=asks_labels)
    return [_completed(one, found.get(one.id, _Said())) for one in page]


def _gather(said: _Said, row: Record, keys: Sequence[str], *, asks_labels: bool) -> None:
    """Take what one image says, or what an index says of it."""
    known = row["entry"] or row["platform"]
    if known:
        said.platforms.add(known)
    if not row["is_image"] or not (asks_labels or known is None):
        return
    said.problem = said.problem or row["problem"] or (_NOT_READ if row["is_unread"] else "")
    values = _values(keys, row)
    if said.labels is None:
        said.labels = values
    else:
        said.labels = dict(said.labels.items() & values.items())


def _completed(artifact: Artifact, said: _Said) -> Artifact:
    return artifact._replace(
        annotations={**(said.labels or {}), **artifact.annotations},
        platforms=sorted(said.platforms),
        held=artifact.held or (f"its config {said.problem}" if said.problem else ""),
    )


def _values(keys: Sequence[str], row: Record) -> dict[str, str]:
    pairs: Mapping[str, str | None] = dict(zip(keys, row["said"], strict=True))
    return {key: value for key, value in pairs.items() if value is not None}
