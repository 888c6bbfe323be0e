"""What images say of themselves in their configs, as retention reads it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from database.pool import Database
from protocol import image_config, media_types
from protocol.digest import Digest
from registry import inspecting
from registry.metadata import retention_snapshot
from registry.metadata.blobs import find
from registry.retention.artifact import Artifact
from registry.retention.deciding import Decider
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from tests.integration.registry import steps
from tests.integration.registry.conftest import Client
from tests.unit.registry.retention.examples import delete, rules

ASKED = rules(
    delete("**", unless={"unexpired": True}),
    delete("none", annotations=["team", "stage"], platforms=["linux/*"]),
)


@pytest.fixture(autouse=True)
async def _repository(registry: Registry) -> None:
    await registry.prepare(steps.REPOSITORY)


def config(*, variant: str | None = None, **labels: str) -> bytes:
    """A config; underscores are what labels have dashes or dots for."""
    named = {name.replace("__", "-").replace("_", "."): value for name, value in labels.items()}
    document: dict[str, Any] = {"os": "linux", "architecture": "arm64", "config": {"Labels": named}}
    if variant:
        document["variant"] = variant
    return json.dumps(document).encode()


async def push(client: Client, said: bytes, tag: str | None = None, **fields: Any) -> bytes:
    """Push an image with this config."""
    await steps.push_blob(client, said)
    await steps.push_blob(client, b"layer")
    body = steps.image(said, [b"layer"], **fields)
    answer = await steps.put_manifest(client, body, tag)
    assert answer.status == 201, answer
    return body


async def read(registry: Registry, database: Database) -> dict[str, Artifact]:
    """What rules are told, by tag, or by digest of what has none."""
    await inspecting.inspect(database, registry.storage, steps.REPOSITORY)
    return await told(database)


async def told(database: Database) -> dict[str, Artifact]:
    found: dict[str, Artifact] = {}
    async for page in retention_snapshot.pages(database, steps.REPOSITORY, ASKED):
        found |= {one.tags[0].name if one.tags else one.digest: one for one in page}
    return found


async def test_labels_of_the_config_are_what_an_image_says_and_annotations_go_first(
    client: Client, registry: Registry, database: Database
) -> None:
    said = config(quay_expires__after="2w", team="a", other="x", variant="v8")
    await push(client, said, "v1", annotations={"team": "b", "stage": "dev", "more": "y"})
    found = (await read(registry, database))["v1"]
    assert found.annotations == {"quay.expires-after": "2w", "team": "b", "stage": "dev"}
    assert found.platforms == ["linux/arm64/v8"]
    assert found.held == ""


async def test_an_image_that_its_dockerfile_lets_expire_goes(
    client: Client, registry: Registry, database: Database
) -> None:
    await push(client, config(quay_expires__after="1s"), "short")
    await push(client, config(quay_expires__after="1w"), "long")
    await push(client, config(), "never")
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE registry.manifests SET pushed_at = now() - interval '1 day'"
        )
        await connection.execute("UPDATE registry.tags SET pushed_at = now() - interval '1 day'")
    await inspecting.inspect(database, registry.storage, steps.REPOSITORY)
    decider = Decider(ASKED.applying_to("app"), now=datetime.now(UTC))
    async for page in retention_snapshot.pages(database, steps.REPOSITORY, ASKED):
        decider.take(page)
    assert [one.tags for one in decider.decide().going()] == [("short",)]


async def test_an_index_says_what_all_its_images_say_and_is_for_their_platforms(
    client: Client, registry: Registry, database: Database
) -> None:
    children = [
        await push(client, config(quay_expires__after="2w", team="a", stage="dev")),
        await push(client, config(quay_expires__after="2w", team="b", stage="dev")),
        await push(client, config()),
    ]
    entries = [steps.descriptor(one, media_types.OCI_MANIFEST) for one in children]
    entries[0]["platform"] = {"os": "linux", "architecture": "amd64"}
    entries[2]["platform"] = {"os": "unknown", "architecture": "unknown"}
    body = json.dumps(
        {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries}
    ).encode()
    assert (await steps.put_manifest(client, body, "multi")).status == 201
    found = (await read(registry, database))["multi"]
    assert found.annotations == {"quay.expires-after": "2w", "stage": "dev"}
    assert found.platforms == ["linux/amd64", "linux/arm64"]
    assert found.held == ""


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"no json", "its config is not JSON"),
        (b"[]", "its config is not a JSON object"),
        (b" " * (image_config.LIMIT_BYTES + 1), "its config has 1048577 bytes, more than 1048576"),
    ],
)
async def test_an_image_whose_config_cannot_be_read_is_kept_and_the_reason_is_said(
    client: Client, registry: Registry, database: Database, said: bytes, reason: str
) -> None:
    await push(client, said, "odd")
    found = await read(registry, database)
    assert found["odd"].held == reason
    decider = Decider(ASKED.applying_to("app"), now=datetime.now(UTC))
    decider.take(found.values())
    assert list(decider.decide().going()) == []


async def test_a_config_is_read_once(
    client: Client, registry: Registry, database: Database, storage: FilesystemStorage
) -> None:
    said = config(team="a")
    await push(client, said, "v1")
    before = await read(registry, database)
    await remove(database, storage, said)
    assert await read(registry, database) == before


async def test_an_image_whose_config_is_lost_is_kept_until_it_is_healed(
    client: Client, registry: Registry, database: Database, storage: FilesystemStorage
) -> None:
    said = config(team="a")
    await push(client, said, "v1")
    await remove(database, storage, said)
    assert (await read(registry, database))["v1"].held == "its config has not been read yet"


async def test_what_is_pushed_after_the_configs_were_read_is_kept(
    client: Client, registry: Registry, database: Database
) -> None:
    await read(registry, database)
    await push(client, config(), "late")
    assert (await told(database))["late"].held == "its config has not been read yet"
    assert (await read(registry, database))["late"].held == ""


async def test_many_images_are_read_page_by_page(
    client: Client, registry: Registry, database: Database
) -> None:
    await push(client, config(team="a"), "v1")
    async with database.transaction() as connection:
        await connection.execute(
            "INSERT INTO registry.manifests (repository_id, digest, media_type, config_media_type,"
            " size_bytes, payload, lease_until)"
            " SELECT repository_id, '\\x01'::bytea || sha256(n::text::bytea), media_type,"
            " config_media_type, size_bytes, payload, now()"
            " FROM registry.manifests, generate_series(1, $1) n",
            inspecting.PAGE,
        )
        await connection.execute(
            "INSERT INTO registry.manifest_blobs (repository_id, manifest_id, blob_id, role)"
            " SELECT m.repository_id, m.id, b.blob_id, 'config' FROM registry.manifests m,"
            " (SELECT blob_id FROM registry.manifest_blobs WHERE role = 'config') b"
            " ON CONFLICT DO NOTHING"
        )
    found = await read(registry, database)
    assert len(found) == inspecting.PAGE + 1
    assert {one.annotations["team"] for one in found.values()} == {"a"}


async def test_who_pushed_it_is_looked_up_where_a_rule_asks(
    client: Client, database: Database
) -> None:
    await push(client, config(), "v1")
    asked = rules(delete("**", pushed_by=["admin"]))
    pages = [page async for page in retention_snapshot.pages(database, steps.REPOSITORY, asked)]
    assert [one.pushed_by for page in pages for one in page] == ["admin"]


async def remove(database: Database, storage: FilesystemStorage, content: bytes) -> None:
    """Take the object of a blob away."""
    async with database.connection() as connection:
        blob = await find(connection, steps.REPOSITORY, Digest.of(content))
    assert blob is not None
    assert await storage.delete([blob.stored]) == []
