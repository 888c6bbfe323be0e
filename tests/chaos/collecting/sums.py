"""Every counter against what it counts, as of one moment, whoever is at work.

The sums are made in Python from rows that were read whole; the counters are asked as the product
asks them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from database.pool import Connection
from jobservice.store import projects
from registry.metadata import collected, reclaimable, usage
from registry.metadata.usage import Usage
from tests.chaos.collecting import audit, witness
from tests.chaos.collecting.audit import Rows, Tables

# What retention said of its runs, each count written by the transaction that deleted.
SAID = """
SELECT coalesce(sum((checkpoint ->> 'deleted')::bigint), 0)::bigint FROM jobservice.tasks
WHERE job_type = 'RETENTION'
"""


async def differences(connection: Connection) -> list[str]:
    """Return where a counter says something else than there is."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        tables = await audit.rows(connection)
        now = await connection.fetchval("SELECT now()")
        repositories = await connection.fetch("SELECT * FROM registry.repositories")
        names = await connection.fetch("SELECT id, name FROM access.projects")
        seen = await witness.counts(connection)
        said = {"retained": await connection.fetchval(SAID)}
        pairs: list[tuple[str, object, object]] = [
            *_each("collected", {**await collected.counts(connection), **said}, seen),
            *_each(
                "repositories of project",
                await projects.repositories(connection, [row["id"] for row in names]),
                _filled(tables, repositories),
            ),
        ]
        places = {row["id"]: row["id"] for row in repositories}
        homes = {row["id"]: row["project_id"] for row in repositories}
        pairs += _usages(await usage.by_repository(connection), tables, places, repositories)
        pairs += _usages(await usage.by_project(connection), tables, homes, names)
        pairs += _each("total", asdict(await usage.total(connection)), _total(tables, now))
        totals = asdict(await reclaimable.totals(connection))
        pairs += _each("reclaimable", totals, _reclaimable(tables, now))
    return [
        f"{what} is {told!r}, and {there!r} are there"
        for what, told, there in pairs
        if told != there
    ]


def _each(
    what: str, told: Mapping[Any, object], there: Mapping[Any, object]
) -> Iterator[tuple[str, object, object]]:
    """Yield what is told by a name, and what there is; what one leaves out is none."""
    for name in sorted(told.keys() | (there.keys() - {witness.AGAIN, "deleted"})):
        yield f"{what} {name}", told.get(name, 0), there.get(name, 0)


def _filled(tables: Tables, repositories: Rows) -> Mapping[int, int]:
    """Count the repositories of each project that hold something."""
    filled = {row["repository_id"] for row in tables.manifests}
    return Counter(row["project_id"] for row in repositories if row["id"] in filled)


def _usages(
    told: Iterable[Usage], tables: Tables, owners: Mapping[int, int], names: Rows
) -> Iterator[tuple[str, object, object]]:
    """Yield what each owner of repositories is said to take, and what it takes."""
    there = _taken(tables, owners)
    by_name: dict[str, Mapping[str, int]] = {row["name"]: there.get(row["id"], {}) for row in names}
    for usage_ in told:
        fields = {name: value for name, value in asdict(usage_).items() if name != "name"}
        yield from _each(f"usage of {usage_.name}:", fields, by_name.pop(usage_.name))
    yield "usage of nobody:", {}, by_name


def _taken(tables: Tables, owners: Mapping[int, int]) -> Mapping[int, Counter[str]]:
    """Return what each owner takes; `owners` are by repository."""
    sizes = Counter({row["id"]: row["size_bytes"] for row in tables.blobs})
    taken: dict[int, Counter[str]] = defaultdict(Counter)
    for owner in owners.values():
        taken[owner]["repositories"] += 1
    for row in tables.manifests:
        one = taken[owners[row["repository_id"]]]
        one["manifests"] += 1
        for name in ("logical_bytes", "stored_bytes", "exclusive_bytes"):
            one[name] += row["size_bytes"]
    for row in tables.tags:
        taken[owners[row["repository_id"]]]["tags"] += 1
    for row in tables.edges:
        taken[owners[row["repository_id"]]]["logical_bytes"] += sizes[row["blob_id"]]
    has = {(owners[row["repository_id"]], row["blob_id"]) for row in tables.links}
    shared = Counter(blob for _, blob in has)
    for owner, blob in has:
        taken[owner]["stored_bytes"] += sizes[blob]
        taken[owner]["exclusive_bytes"] += sizes[blob] if shared[blob] == 1 else 0
    return taken


def _total(tables: Tables, now: datetime) -> Mapping[str, int]:
    needed = {row["blob_id"] for row in tables.edges}
    return {
        "blobs": len(tables.blobs),
        "blob_bytes": _bytes(tables.blobs),
        "unneeded_bytes": _bytes(row for row in tables.blobs if row["id"] not in needed),
        "lost_bytes": _bytes(row for row in tables.blobs if row["lost_at"] is not None),
        "manifest_bytes": _bytes(tables.manifests),
        "upload_bytes": sum(row["offset_bytes"] for row in tables.uploads),
        "removal_bytes": _bytes(tables.tombstones),
        "kept_bytes": _bytes(row for row in tables.tombstones if _can_come_back(row, now)),
    }


def _reclaimable(tables: Tables, now: datetime) -> Mapping[str, object]:
    """Enumerate what could be freed."""
    needed = {row["blob_id"] for row in tables.edges}
    queued = {row["object_id"] for row in tables.queue if row["kind"] in {b"l", b"b"}}
    parts = {
        "now": [row for row in tables.tombstones if not _can_come_back(row, now)],
        "failed": [row for row in tables.tombstones if row["attempts"]],
        "after_window": [row for row in tables.tombstones if _can_come_back(row, now)],
        "unreviewed": [row for row in tables.blobs if row["id"] in queued - needed],
    }
    return {name: {"objects": len(rows), "bytes": _bytes(rows)} for name, rows in parts.items()}


def _can_come_back(row: Mapping[str, Any], now: datetime) -> bool:
    return bool(row["released_at"] is None and row["delete_after"] > now)


def _bytes(rows: Iterable[Mapping[str, Any]]) -> int:
    return sum(row["size_bytes"] for row in rows)
