"""How Postgres finds the rows of tag pages, HEADs and referrers: by index, whatever is asked.

A plan that was made for values that are not known yet is looked at as well: it is what a
connection goes on with after a statement's fifth time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from database.pool import Connection, Database
from protocol.digest import Digest
from registry.metadata import digests, manifests, repositories, tags

LARGE, SMALL = "library/large", "library/app-7"
FILL = (
    """
    INSERT INTO registry.repositories (project_id, name)
    SELECT p.id, CASE n WHEN 0 THEN 'library/large' ELSE 'library/app-' || n END
    FROM access.projects p, generate_series(0, 2999) AS n WHERE p.name = 'library'
    """,
    """
    INSERT INTO registry.manifests
        (repository_id, digest, media_type, size_bytes, payload, lease_until)
    SELECT id, '\\x01'::bytea || sha256(name::bytea), 'application/x', 2, '{}', now()
    FROM registry.repositories
    """,
    """
    INSERT INTO registry.manifests (repository_id, digest, media_type, artifact_type, size_bytes,
        payload, subject_digest, lease_until)
    SELECT m.repository_id, '\\x01'::bytea || sha256((r.name || n)::bytea), m.media_type,
           'application/x.signature', 2, m.payload, m.digest, now()
    FROM registry.manifests m JOIN registry.repositories r ON r.id = m.repository_id,
         LATERAL generate_series(1, CASE r.name WHEN 'library/large' THEN 2000 ELSE 1 END) n
    """,
    """
    INSERT INTO registry.tags (repository_id, name, manifest_id)
    SELECT m.repository_id, 'v' || lpad(n::text, 6, '0'), m.id
    FROM registry.manifests m JOIN registry.repositories r ON r.id = m.repository_id,
         LATERAL generate_series(1, CASE r.name WHEN 'library/large' THEN 20000 ELSE 3 END) n
    WHERE m.subject_digest IS NULL
    """,
)
ANALYZE = "ANALYZE registry.repositories, registry.manifests, registry.tags"


def questions() -> Iterator[tuple[str, tuple[object, ...]]]:
    """Yield statements with what they are asked for, as the registry asks."""
    for name in (LARGE, SMALL, "library/absent"):
        subject = digests.encode(Digest.of(name.encode()))
        for limit in (1, 100, 1000, 10_000):
            yield tags.PAGE, (name, "", limit)
            yield tags.PAGE, (name, "v019000", limit)
        for with_body in (True, False):
            yield manifests.FIND_BY_TAG[with_body], (name, "v000002")
            yield manifests.FIND_BY_DIGEST[with_body], (name, subject)
        for limit in (1, 100):
            yield manifests.REFERRERS, (name, subject, 0, None, limit)
            yield manifests.REFERRERS, (name, subject, 0, "application/x.signature", limit)
    yield repositories.PAGE, ("library/app-15", 100)


async def plan(connection: Connection, query: str, arguments: tuple[object, ...]) -> Any:
    """Return how a prepared statement would be run."""
    values = ", ".join(map(literal, arguments))
    await connection.execute(f"PREPARE asked AS {query}")
    (said,) = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked ({values})")
    await connection.execute("DEALLOCATE asked")
    return said["Plan"]


def literal(value: object) -> str:
    """Return a value as it is written in SQL."""
    match value:
        case None:
            return "NULL"
        case bytes():
            return f"'\\x{value.hex()}'"
        case _:
            return f"'{value}'"


def scanned(node: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tables that a plan reads from one end to the other."""
    if node["Node Type"] == "Seq Scan":
        yield node["Relation Name"]
    for child in node.get("Plans", ()):
        yield from scanned(child)


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_no_answer_reads_a_table_from_end_to_end(database: Database, mode: str) -> None:
    async with database.connection() as connection:
        for statement in (*FILL, ANALYZE, f"SET plan_cache_mode = {mode}"):
            await connection.execute(statement)
        found = {
            asked: list(scanned(await plan(connection, *asked)))
            for asked in dict.fromkeys(questions())
        }
    assert {asked: tables for asked, tables in found.items() if tables} == {}
