"""Immutable tags: not moved, not deleted, whoever asks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from access import projects
from access.identity import SYSTEM
from database.pool import Connection, Database
from protocol import media_types
from protocol.content import RawManifest
from protocol.digest import Digest
from registry.errors import ImmutableTag
from registry.immutability import ImmutableRule
from registry.metadata import immutable_rules, outbox
from registry.selecting import Decoration, Selector
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from tests.integration.registry import steps
from tests.integration.registry.conftest import Client
from tests.integration.registry.steps import ask

DEADLINE_SECONDS = 60
MANIFESTS = f"/v2/{steps.REPOSITORY}/manifests"
AddRule = Callable[..., Awaitable[int]]


@pytest.fixture
async def add_rule(database: Database, registry: Registry) -> AddRule:
    """Adds a rule to the project `library`: every repository, tags by a pattern."""
    await registry.prepare(steps.REPOSITORY)

    async def add(tags: str, repositories: str = "**", *, disabled: bool = False) -> int:
        rule = ImmutableRule(
            id=0,
            repository=Selector(decoration=Decoration.REPOSITORY_MATCHES, pattern=repositories),
            tag=Selector(decoration=Decoration.MATCHES, pattern=tags),
            disabled=disabled,
        )
        async with database.transaction() as connection:
            project = await projects.get(connection, "library")
            made = await immutable_rules.create(connection, project.id, rule)
        assert made is not None
        return made

    return add


async def digest_of(client: Client, tag: str) -> str:
    answer = await ask(client, "HEAD", f"{MANIFESTS}/{tag}")
    return answer.headers["Docker-Content-Digest"]


async def test_a_tag_that_a_rule_takes_is_pushed_once(client: Client, add_rule: AddRule) -> None:
    rule = await add_rule("v*")
    first = await steps.push_image(client, "v1")
    other = await steps.push_image(client, annotations={"another": "one"})
    refused = await steps.put_manifest(client, other, "v1")
    assert (refused.status, refused.code) == (412, "DENIED")
    assert refused.json["errors"][0]["message"] == (
        f"tag v1 is immutable by rule {rule} (tags matching v* in repositories matching **) and "
        "leads to another manifest: push under another tag, or have the rule changed "
        "(`transship project immutable`)"
    )
    assert await digest_of(client, "v1") == steps.digest(first)


async def test_the_same_manifest_is_pushed_again_and_again(
    client: Client, add_rule: AddRule
) -> None:
    await add_rule("**")
    body = await steps.push_image(client, "v1")
    assert (await steps.put_manifest(client, body, "v1")).status == 201
    assert (await steps.put_manifest(client, body)).status == 201


async def test_other_tags_other_repositories_and_other_projects_move(
    client: Client, add_rule: AddRule, registry: Registry
) -> None:
    await registry.prepare("other/app")
    await add_rule("v*", "app")
    for repository, tag in (
        (steps.REPOSITORY, "latest"),
        ("library/deep/app", "v1"),
        ("other/app", "v1"),
    ):
        await steps.push_image(client, tag, repository=repository)
        moved = await steps.push_image(client, tag, repository=repository, annotations={"a": "b"})
        answer = await ask(client, "HEAD", f"/v2/{repository}/manifests/{tag}")
        assert answer.headers["Docker-Content-Digest"] == steps.digest(moved)


async def test_a_disabled_rule_keeps_nothing(client: Client, add_rule: AddRule) -> None:
    await add_rule("**", disabled=True)
    await steps.push_image(client, "v1")
    moved = await steps.push_image(client, "v1", annotations={"a": "b"})
    assert await digest_of(client, "v1") == steps.digest(moved)


async def test_of_a_push_with_several_tags_none_is_written_when_one_may_not_move(
    client: Client, add_rule: AddRule, database: Database
) -> None:
    await add_rule("v*")
    await steps.push_image(client, "v1")
    await steps.push_image(client, "v2", annotations={"second": "one"})
    other = await steps.push_image(client, annotations={"another": "one"})
    async with database.transaction() as connection:
        await outbox.delete(connection, await outbox.take(connection, limit=100))
    path = f"{MANIFESTS}/{steps.digest(other)}?tag=new&tag=v1&tag=v2"
    refused = await ask(client, "PUT", path, other, Content_Type=media_types.OCI_MANIFEST)
    assert refused.status == 412
    assert [error["message"].split()[1] for error in refused.json["errors"]] == ["v1", "v2"]
    assert (await ask(client, "HEAD", f"{MANIFESTS}/new")).status == 404
    async with database.connection() as connection:
        assert not await outbox.any_due(connection)


async def test_an_immutable_tag_is_not_deleted(client: Client, add_rule: AddRule) -> None:
    rule = await add_rule("v*")
    body = await steps.push_image(client, "v1")
    await steps.put_manifest(client, body, "latest")
    refused = await ask(client, "DELETE", f"{MANIFESTS}/v1")
    assert (refused.status, refused.code) == (412, "DENIED")
    assert f"tag v1 is immutable by rule {rule}" in refused.json["errors"][0]["message"]
    assert (await ask(client, "DELETE", f"{MANIFESTS}/latest")).status == 202
    assert (await ask(client, "DELETE", f"{MANIFESTS}/v2")).status == 404
    assert await digest_of(client, "v1") == steps.digest(body)


async def test_a_manifest_with_an_immutable_tag_is_not_deleted(
    client: Client, add_rule: AddRule
) -> None:
    await add_rule("v*")
    body = await steps.push_image(client, "v1")
    await steps.put_manifest(client, body, "latest")
    refused = await ask(client, "DELETE", f"{MANIFESTS}/{steps.digest(body)}")
    assert (refused.status, refused.code) == (412, "DENIED")
    assert f"leads to {steps.digest(body)}" in refused.json["errors"][0]["message"]
    assert await digest_of(client, "latest") == steps.digest(body)
    other = await steps.push_image(client, "nightly", annotations={"a": "b"})
    gone = await ask(client, "DELETE", f"{MANIFESTS}/{steps.digest(other)}")
    assert gone.status == 202


async def sign(client: Client, subject: bytes, **fields: object) -> tuple[str, int]:
    """Push what cosign does, and return its tag and the answer's status."""
    tag = steps.digest(subject).replace(":", "-") + ".sig"
    body = await steps.push_image(client, annotations=fields)
    return tag, (await steps.put_manifest(client, body, tag)).status


async def test_a_signature_is_written_again_and_removed_under_a_rule_for_everything(
    client: Client, add_rule: AddRule
) -> None:
    await add_rule("**")
    subject = await steps.push_image(client, "v1")
    tag, status = await sign(client, subject, signer="a")
    assert status == 201
    assert await sign(client, subject, signer="a and b") == (tag, 201)
    assert (await ask(client, "DELETE", f"{MANIFESTS}/{tag}")).status == 202


async def test_a_signature_stays_where_a_rule_names_it(client: Client, add_rule: AddRule) -> None:
    await add_rule("sha256-*.sig")
    subject = await steps.push_image(client, "v1")
    tag, status = await sign(client, subject, signer="a")
    assert status == 201
    assert await sign(client, subject, signer="a and b") == (tag, 412)
    assert (await ask(client, "DELETE", f"{MANIFESTS}/{tag}")).status == 412


class _Held:
    """Holds a process back before it commits a tag, until it may go on, or may not."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.decided: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def __call__(self, connection: Connection) -> None:
        if await connection.fetchval("SELECT EXISTS (SELECT FROM registry.tags)"):
            self.reached.set()
            await self.decided


WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid')"


async def together(
    database: Database, storage: FilesystemStorage, bodies: list[bytes], *, first_commits: bool
) -> tuple[Exception | None, Exception | None]:
    """Push two manifests under one tag: the second meets the first before that has committed."""
    held = _Held()

    async def push(registry: Registry, body: bytes) -> Exception | None:
        raw = RawManifest(media_type=media_types.OCI_MANIFEST, digest=Digest.of(body), body=body)
        try:
            await registry.repository(steps.REPOSITORY, SYSTEM).put_manifest(raw, tags=["v1"])
        except (ImmutableTag, KeyError) as error:
            return error
        return None

    async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as group:
        first = group.create_task(push(Registry(database.checked(held), storage), bodies[0]))
        await held.reached.wait()
        second = group.create_task(push(Registry(database, storage), bodies[1]))
        async with database.connection() as connection:
            while not await connection.fetchval(WAITING):
                pass
        assert not second.done()
        if first_commits:
            held.decided.set_result(None)
        else:
            held.decided.set_exception(KeyError("it does not commit"))
    return first.result(), second.result()


@pytest.mark.parametrize("first_commits", [True, False])
async def test_of_two_first_pushes_at_once_exactly_one_has_the_tag(
    client: Client,
    add_rule: AddRule,
    database: Database,
    storage: FilesystemStorage,
    *,
    first_commits: bool,
) -> None:
    await add_rule("v*")
    bodies = [await steps.push_image(client, annotations={"number": str(n)}) for n in range(2)]
    first, second = await together(database, storage, bodies, first_commits=first_commits)
    if first_commits:
        assert first is None
        assert isinstance(second, ImmutableTag)
    else:
        assert isinstance(first, KeyError)
        assert second is None
    winner = bodies[0] if first_commits else bodies[1]
    assert await digest_of(client, "v1") == steps.digest(winner)


async def test_a_first_push_into_a_new_repository_is_bound_as_well(
    client: Client, add_rule: AddRule
) -> None:
    await add_rule("v*")
    empty = json.dumps(
        {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": []}
    ).encode()
    other = steps.index([], annotations={"another": "one"})
    assert (await steps.put_manifest(client, empty, "v1", "library/new")).status == 201
    assert (await steps.put_manifest(client, other, "v1", "library/new")).status == 412


async def test_who_asks_beforehand_hears_what_a_push_would(
    client: Client, add_rule: AddRule, registry: Registry
) -> None:
    await add_rule("v*")
    first = await steps.push_image(client, "v1", annotations={"number": "1"})
    await steps.push_image(client, "latest", annotations={"number": "1"})
    other = await steps.push_image(client, annotations={"number": "2"})
    repository = registry.repository(steps.REPOSITORY, SYSTEM)
    with pytest.raises(ImmutableTag) as beforehand:
        await repository.want_tags(Digest.of(other), ["v1", "v2", "latest"])
    refused = await steps.put_manifest(client, other, "v1")
    assert [error["message"] for error in refused.json["errors"]] == [
        fault.message for fault in beforehand.value.faults
    ]
    await repository.want_tags(Digest.of(first), ["v1"])
    await repository.want_tags(Digest.of(other), ["v2", "latest"])
    await registry.repository("library/new", SYSTEM).want_tags(Digest.of(other), ["v1"])
