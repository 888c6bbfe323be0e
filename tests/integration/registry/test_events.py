"""What happens to content is written down in the transaction that does it."""

from __future__ import annotations

from typing import Any

import pytest

from access.identity import SYSTEM
from database.pool import Database
from protocol import media_types
from registry import events
from registry.events import Action, Event
from registry.metadata import outbox
from registry.service import Registry
from tests.integration.registry import steps
from tests.integration.registry.conftest import Client
from tests.integration.registry.steps import ask

MANIFESTS = f"/v2/{steps.REPOSITORY}/manifests"


@pytest.fixture
async def told(database: Database, registry: Registry) -> Any:
    """Returns what was told since it was last asked."""
    await registry.prepare(steps.REPOSITORY)

    async def take() -> list[Event]:
        async with database.transaction() as connection:
            rows = await outbox.take(connection, limit=100)
            await outbox.delete(connection, rows)
        return [events.Event.from_json(row.facts) for row in rows]

    return take


async def test_a_push_is_told_with_everything_that_was_so_then(client: Client, told: Any) -> None:
    body = await steps.push_image(client, "1.0")
    (event,) = await told()
    assert event == Event(
        action=Action.PUSH,
        project_id=event.project_id,
        repository=steps.REPOSITORY,
        digest=steps.digest(body),
        tags=("1.0",),
        media_type=media_types.OCI_MANIFEST,
        artifact_type=media_types.OCI_CONFIG,
        size_bytes=len(body),
        subject=None,
        by="admin",
        is_new=True,
    )


async def test_a_push_of_what_is_there_is_told_as_no_new_artifact(
    client: Client, told: Any
) -> None:
    body = await steps.push_image(client, "1.0")
    await steps.put_manifest(client, body, "latest")
    await steps.put_manifest(client, body)
    first, second, third = await told()
    assert (first.is_new, second.is_new, third.is_new) == (True, False, False)
    assert (second.tags, third.tags) == (("latest",), ())
    assert first.digest == second.digest == third.digest


async def test_a_push_with_several_tags_is_one_event(client: Client, told: Any) -> None:
    body = await steps.push_image(client)
    await told()
    path = f"{MANIFESTS}/{steps.digest(body)}?tag=b&tag=a&tag=b"
    answer = await ask(client, "PUT", path, body, Content_Type=media_types.OCI_MANIFEST)
    assert answer.status == 201
    (event,) = await told()
    assert event.tags == ("a", "b")


async def test_a_referrer_is_told_with_its_subject(client: Client, told: Any) -> None:
    subject = await steps.push_image(client, "1.0")
    await steps.push_image(client, subject=steps.descriptor(subject, media_types.OCI_MANIFEST))
    _, event = await told()
    assert event.subject == steps.digest(subject)


async def test_a_push_that_is_refused_is_not_told(client: Client, told: Any) -> None:
    answer = await steps.put_manifest(client, steps.image(b"{}", [b"never pushed"]), "1.0")
    assert answer.status == 400
    assert await told() == []


async def test_a_deleted_artifact_is_told_with_the_tags_that_went_with_it(
    client: Client, told: Any
) -> None:
    body = await steps.push_image(client, "1.0")
    await steps.put_manifest(client, body, "latest")
    await told()
    assert (await ask(client, "DELETE", f"{MANIFESTS}/{steps.digest(body)}")).status == 202
    (event,) = await told()
    assert (event.action, event.digest, event.by) == (Action.DELETE, steps.digest(body), "admin")
    assert event.tags == ("1.0", "latest")


async def test_a_deleted_tag_is_told_and_what_is_not_there_is_not(
    client: Client, told: Any
) -> None:
    body = await steps.push_image(client, "1.0")
    await told()
    assert (await ask(client, "DELETE", f"{MANIFESTS}/1.0")).status == 202
    assert (await ask(client, "DELETE", f"{MANIFESTS}/1.0")).status == 404
    (event,) = await told()
    assert (event.action, event.tags, event.digest) == (
        Action.UNTAG,
        ("1.0",),
        steps.digest(body),
    )


async def test_a_deletion_that_an_index_forbids_is_not_told(client: Client, told: Any) -> None:
    child = await steps.push_image(client)
    await steps.put_manifest(client, steps.index([child]), "1.0")
    await told()
    assert (await ask(client, "DELETE", f"{MANIFESTS}/{steps.digest(child)}")).status == 405
    assert await told() == []


async def test_what_replication_writes_here_is_told_as_ours(
    client: Client, registry: Registry, told: Any
) -> None:
    body = await steps.push_image(client, "1.0")
    await told()
    repository = registry.repository(steps.REPOSITORY, SYSTEM)
    await repository.write_manifest(await repository.read_manifest("1.0"), tag="2.0")
    (event,) = await told()
    assert (event.by, event.tags, event.digest) == ("transship", ("2.0",), steps.digest(body))
