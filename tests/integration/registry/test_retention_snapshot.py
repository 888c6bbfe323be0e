"""A repository as retention sees it, out of a real database."""

from __future__ import annotations

import json
from contextlib import aclosing
from datetime import UTC, datetime

import pytest

from access import projects
from database.pool import Database
from protocol import media_types
from registry.immutability import ImmutableRule
from registry.metadata import immutable_rules, retention_snapshot
from registry.retention import expiry
from registry.retention.artifact import Artifact, Type
from registry.retention.deciding import Decider
from registry.retention.decision import Fate
from registry.retention.rule_set import RuleSet
from registry.selecting import Decoration, Selector
from registry.service import Registry
from tests.integration.registry import steps
from tests.integration.registry.conftest import Client
from tests.unit.registry.retention.examples import delete, harbor, rules

LABELLED = {"kind": "label", "decoration": "withLabels", "pattern": "stable"}
USED = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture(autouse=True)
async def _repository(registry: Registry) -> None:
    await registry.prepare(steps.REPOSITORY)


async def read(
    database: Database, asked: RuleSet = retention_snapshot.NOTHING
) -> dict[str, Artifact]:
    """What the pages hold, by digest; pieces of one artifact are put together."""
    found: dict[str, Artifact] = {}
    ids = [0]
    async for page in retention_snapshot.pages(database, steps.REPOSITORY, asked):
        for one in page:
            ids.append(one.id)
            before = found[one.digest].tags if one.digest in found else ()
            found[one.digest] = one._replace(tags=[*before, *one.tags])
    assert ids == sorted(ids)
    return found


async def execute(database: Database, statement: str, *arguments: object) -> None:
    async with database.connection() as connection:
        await connection.execute(statement, *arguments)


async def multiply(database: Database, count: int) -> None:
    """Write so many manifests like the one that is there."""
    await execute(
        database,
        "INSERT INTO registry.manifests"
        " (repository_id, digest, media_type, size_bytes, payload, lease_until)"
        " SELECT repository_id, '\\x01'::bytea || sha256(n::text::bytea), media_type, size_bytes,"
        " payload, now() FROM registry.manifests, generate_series(1, $1) n",
        count,
    )


def weight(image: bytes) -> int:
    """What an image pushed by `steps` weighs."""
    said = json.loads(image)
    blobs: list[int] = [one["size"] for one in (said["config"], *said["layers"])]
    return len(image) + sum(blobs)


async def test_an_artifact_is_read_with_all_that_rules_ask_for(
    client: Client, database: Database
) -> None:
    said = {expiry.AT: "2027-01-01T00:00:00Z", "other": "x"}
    image = await steps.push_image(client, "v1", annotations=said)
    await steps.put_manifest(client, image, "v0")
    await execute(database, "UPDATE registry.tags SET last_used_at = $1 WHERE name = 'v0'", USED)
    await execute(database, "UPDATE registry.manifests SET pulled_at = $1", USED)
    (found,) = (await read(database)).values()
    assert found.digest == steps.digest(image)
    assert [(tag.name, tag.used_at, tag.immutable) for tag in found.tags] == [
        ("v0", USED, ""),
        ("v1", None, ""),
    ]
    assert all(tag.pushed_at is not None and tag.pushed_at > USED for tag in found.tags)
    assert (found.pulled_at, found.used_at, found.held) == (USED, None, "")
    assert found.annotations == {expiry.AT: "2027-01-01T00:00:00Z"}
    assert (found.type, found.size_bytes) == (Type.IMAGE, weight(image))


async def test_an_index_weighs_what_it_names_and_its_children_know_it(
    client: Client, database: Database
) -> None:
    children = [await steps.push_image(client, None, artifactType=str(n)) for n in range(2)]
    body = steps.index(children)
    assert (await steps.put_manifest(client, body, "multi")).status == 201
    signature = await steps.push_image(
        client, None, subject=steps.descriptor(body, media_types.OCI_INDEX)
    )
    found = await read(database)
    index = found[steps.digest(body)]
    assert index.type is Type.INDEX
    assert index.size_bytes == len(body) + sum(map(weight, children))
    assert [found[steps.digest(child)].parents for child in children] == [[index.id], [index.id]]
    assert found[steps.digest(signature)].subject == index.digest


async def test_what_is_immutable_pinned_or_held_is_known(
    client: Client, database: Database
) -> None:
    digests = [steps.digest(await steps.push_image(client, name)) for name in ("v1", "v2", "dev")]
    rule = ImmutableRule(
        id=0,
        repository=Selector(decoration=Decoration.REPOSITORY_MATCHES, pattern="app"),
        tag=Selector(decoration=Decoration.MATCHES, pattern="v*"),
    )
    async with database.connection() as connection:
        project = await projects.get(connection, "library")
        number = await immutable_rules.create(connection, project.id, rule)
    for owner, ends in (("replication", "now() + interval '1 day'"), ("over", "now()")):
        await execute(
            database,
            "INSERT INTO registry.pins (manifest_id, owner, expires_at)"  # noqa: S608 constants
            f" SELECT manifest_id, $1, {ends} FROM registry.tags"
            " WHERE name = CASE $1 WHEN 'over' THEN 'v1' ELSE 'v2' END",
            owner,
        )
    await execute(
        database,
        "UPDATE registry.manifests SET held = true"
        " WHERE id = (SELECT manifest_id FROM registry.tags WHERE name = 'dev')",
    )
    found = await read(database)
    assert [found[one].held for one in digests] == ["", "pinned by replication", "held"]
    assert [found[one].tags[0].immutable for one in digests] == [
        f"rule {number}",
        f"rule {number}",
        "",
    ]


async def test_labels_are_looked_up_where_a_rule_asks_for_them(
    client: Client, database: Database
) -> None:
    stable, bare = [steps.digest(await steps.push_image(client, name)) for name in ("v1", "v2")]
    await execute(database, "INSERT INTO registry.labels (name) VALUES ('stable'), ('lts')")
    await execute(
        database,
        "INSERT INTO registry.manifest_labels (repository_id, digest, label_id)"
        " SELECT m.repository_id, m.digest, l.id FROM registry.labels l, registry.manifests m"
        " JOIN registry.tags t ON t.manifest_id = m.id WHERE t.name = 'v1'",
    )
    assert [one.labels for one in (await read(database)).values()] == [None, None]
    found = await read(database, rules(harbor("always", None, LABELLED)))
    assert found[stable].labels == frozenset({"stable", "lts"})
    assert found[bare].labels == frozenset()


async def test_a_repository_that_is_not_there_has_no_pages(database: Database) -> None:
    pages = retention_snapshot.pages(database, "library/nothing")
    assert [page async for page in pages] == []


async def test_many_artifacts_and_many_tags_come_page_by_page(
    client: Client, database: Database
) -> None:
    """One more than fits on a page of artifacts, and one with more tags than any page takes."""
    await steps.push_image(client, "v0")
    count, tags = retention_snapshot.ARTIFACTS + 1, retention_snapshot.MORE_TAGS * 2 + 200
    await multiply(database, count)
    await execute(
        database,
        "INSERT INTO registry.tags (repository_id, name, manifest_id)"
        " SELECT repository_id, 't' || lpad(n::text, 6, '0'), id FROM registry.manifests,"
        " generate_series(1, $1) n WHERE id = (SELECT max(id) - 5 FROM registry.manifests)",
        tags,
    )
    pages = [page async for page in retention_snapshot.pages(database, steps.REPOSITORY)]
    assert max(map(len, pages)) <= retention_snapshot.ARTIFACTS
    largest = max(len(one.tags) for page in pages for one in page)
    assert largest <= retention_snapshot.MORE_TAGS
    found = await read(database)
    assert len(found) == count + 1
    names = max((one.tags for one in found.values()), key=len)
    assert [tag.name for tag in names] == [f"t{n:06}" for n in range(1, tags + 1)]


async def test_who_stops_reading_early_gives_the_connection_back(
    client: Client, database: Database
) -> None:
    """The next page is being asked for at that moment."""
    await steps.push_image(client, "v0")
    await multiply(database, retention_snapshot.ARTIFACTS)
    for _ in range(database.use().maximum + 1):
        async with aclosing(retention_snapshot.pages(database, steps.REPOSITORY)) as pages:
            assert len(await anext(pages)) == retention_snapshot.ARTIFACTS
    assert database.use().idle == database.use().open


@pytest.mark.parametrize("scope", ["digest", "tag"])
async def test_a_decision_is_made_of_pages(client: Client, database: Database, scope: str) -> None:
    old = await steps.push_image(client, "old")
    new = await steps.push_image(client, "new")
    await execute(
        database,
        "UPDATE registry.manifests SET pushed_at = $2 WHERE digest = decode($1, 'hex')",
        "01" + steps.digest(old).removeprefix("sha256:"),
        USED,
    )
    await execute(database, "UPDATE registry.tags SET pushed_at = $1 WHERE name = 'old'", USED)
    ruled = rules(harbor("latestPushedK", 1), delete("x"), scope=scope)
    decider = Decider(ruled.applying_to("app"), now=datetime.now(UTC))
    async for page in retention_snapshot.pages(database, steps.REPOSITORY):
        decider.take(page)
    outcomes = {one.digest: one for one in decider.decide().outcomes()}
    assert outcomes[steps.digest(new)].fate is Fate.KEPT
    gone = outcomes[steps.digest(old)]
    assert (gone.fate, gone.pushed_at, gone.active_at) == (Fate.DELETED, USED, USED)
    assert gone.size_bytes == weight(old)
