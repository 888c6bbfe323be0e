"""What an audit finds, tells and mends, on a registry that serves meanwhile."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from access.identity import SYSTEM
from adapters.base import AdapterContext, Endpoint
from adapters.local import LocalAdapter
from database.pool import Database
from protocol.content import RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.errors import NotFound
from protocol.media_types import OCI_LAYER, OCI_MANIFEST
from protocol.transport import Transport
from registry.care.fault import Fault, Finding
from registry.care.verifying import Verification, Wish
from registry.collection import sweeping
from registry.repository import Beginning
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from tests.integration.registry import steps
from tests.integration.registry.steps import Client

LAYER = b"layer"  # of every image that steps.push_image pushes
YOUNG = timedelta(days=1)
NOW = timedelta(0)


async def found(
    database: Database,
    storage: FilesystemStorage,
    *,
    quick: bool = False,
    repair: bool = False,
    safe_age: timedelta = YOUNG,
) -> list[Finding]:
    audit = Verification(database, storage, Wish(quick=quick, repair=repair, safe_age=safe_age))
    findings = [one async for one in audit.run() if one is not None]
    assert audit.seen.open == sum(one.is_open for one in findings)
    assert audit.seen.faults.total() == len(findings)
    return findings


def faults(findings: Iterable[Finding]) -> list[Fault]:
    return sorted(one.fault for one in findings)


async def path_of(database: Database, storage: FilesystemStorage, digest: str) -> Path:
    """Return the file that holds a blob."""
    async with database.connection() as connection:
        key = await connection.fetchval(
            "SELECT storage_key FROM registry.blobs WHERE digest = $1",
            b"\x01" + bytes.fromhex(digest.removeprefix("sha256:")),
        )
    return storage.path(key)


async def sql(database: Database, statement: str, *arguments: object) -> Sequence[Any]:
    async with database.connection() as connection:
        return await connection.fetch(statement, *arguments)


async def pull(client: Client, digest: str, repository: str = steps.REPOSITORY) -> steps.Answer:
    return await steps.ask(client, "GET", f"/v2/{repository}/blobs/{digest}")


async def test_nothing_is_wrong_with_what_was_pushed_and_all_of_it_was_looked_at(
    client: Client, database: Database, storage: FilesystemStorage
) -> None:
    image = await steps.push_image(client, "1.0")
    await steps.put_manifest(client, steps.index([image]), "all")
    await steps.begin(client)
    for quick in (True, False):
        audit = Verification(database, storage, Wish(quick=quick, safe_age=NOW))
        assert [one async for one in audit.run() if one is not None] == []
        seen = audit.seen
        assert (seen.blobs, seen.objects, seen.manifests) == (2, 2, 2)
        assert seen.object_bytes == seen.blob_bytes > 0
        assert seen.hashed_bytes == (0 if quick else seen.blob_bytes)


@pytest.mark.parametrize(
    ("harm", "fault", "is_seen_quickly"),
    [
        ("removed", Fault.MISSING, True),
        ("cut", Fault.WRONG_SIZE, True),
        ("changed", Fault.DAMAGED, False),
    ],
)
async def test_a_lost_blob_is_told_with_the_tags_it_breaks_and_a_push_heals_it(
    client: Client,
    database: Database,
    storage: FilesystemStorage,
    *,
    harm: str,
    fault: Fault,
    is_seen_quickly: bool,
) -> None:
    image = await steps.push_image(client, "1.0")
    await steps.put_manifest(client, steps.index([image]), "all")
    layer = steps.digest(LAYER)
    old = await path_of(database, storage, layer)
    hurt(old, harm)

    assert faults(await found(database, storage, quick=True)) == [fault] * is_seen_quickly
    [told] = await found(database, storage)
    assert (told.fault, told.subject, told.is_repaired) == (fault, layer, False)
    assert told.breaks_count == 2
    assert {str(one) for one in told.breaks} == {"library/app:1.0", "library/app:all"}
    assert (await steps.ask(client, "HEAD", f"/v2/library/app/blobs/{layer}")).status == 200

    [marked] = await found(database, storage, repair=True)
    assert (marked.is_repaired, marked.is_open) == (True, True)
    lost = await pull(client, layer)
    assert (lost.status, lost.code) == (404, "BLOB_UNKNOWN")
    assert (await steps.ask(client, "HEAD", f"/v2/library/app/blobs/{layer}")).status == 404
    mount = f"/v2/library/other/blobs/uploads/?mount={layer}&from=library/app"
    assert (await steps.ask(client, "POST", mount)).status == 202, "nobody may mount it"
    refused = await steps.put_manifest(client, image, "2.0")
    assert refused.code == "MANIFEST_BLOB_UNKNOWN", "nor may anybody build on it"

    await steps.push_blob(client, LAYER)
    assert (await pull(client, layer)).body == LAYER
    assert (await steps.put_manifest(client, image, "2.0")).status == 201
    assert await found(database, storage, safe_age=NOW) == []
    await sweeping.sweep(database, storage)
    assert not old.exists()
    assert await found(database, storage, safe_age=NOW) == []


def hurt(path: Path, how: str) -> None:
    content = path.read_bytes()
    match how:
        case "removed":
            path.unlink()
        case "cut":
            path.write_bytes(content[:-1])
        case _:
            path.write_bytes(bytes(byte ^ 1 for byte in content))


async def test_a_replication_heals_too(
    client: Client, database: Database, storage: FilesystemStorage, registry: Registry
) -> None:
    """What it compares is unknown while blobs are lost, and what it looks up is not there."""
    image = await steps.push_image(client, "1.0")
    await steps.put_manifest(client, steps.index([image]), "all")
    layer = Digest.of(LAYER)
    (await path_of(database, storage, str(layer))).unlink()
    await found(database, storage, quick=True, repair=True)
    async with Transport() as transport:
        endpoint = Endpoint(kind="local", url="")
        adapter = LocalAdapter(
            AdapterContext(
                endpoint=endpoint, credential=None, transport=transport, local_registry=registry
            )
        )
        here = adapter.content(steps.REPOSITORY)
        for reference in ("1.0", "all", steps.digest(image)):
            with pytest.raises(NotFound, match="lost"):
                await here.resolve(reference)
        blob = Descriptor(media_type=OCI_LAYER, digest=layer, size_bytes=len(LAYER))
        assert not await here.has_blob(blob)
        upload = await here.begin_blob(blob)
        assert upload is not None
        await upload.send(pieces(LAYER))
        await here.write_manifest(
            RawManifest(media_type=OCI_MANIFEST, digest=Digest.of(image), body=image), tag="1.0"
        )
        assert (await here.resolve("all")).size_bytes > 0
    assert await found(database, storage, safe_age=NOW) == []


async def test_an_object_that_is_back_is_served_again(
    client: Client, database: Database, storage: FilesystemStorage
) -> None:
    layer = await steps.push_blob(client, LAYER)
    path = await path_of(database, storage, layer)
    path.rename(path.with_name("elsewhere"))
    await found(database, storage, quick=True, repair=True)
    path.with_name("elsewhere").rename(path)
    [told] = await found(database, storage, quick=True)
    assert (told.fault, told.is_open) == (Fault.FOUND_AGAIN, True)
    [served] = await found(database, storage, quick=True, repair=True)
    assert (served.fault, served.is_open) == (Fault.FOUND_AGAIN, False)
    assert (await pull(client, layer)).body == LAYER
    assert await found(database, storage) == []


async def test_of_two_pushes_that_heal_one_blob_one_object_stays(
    client: Client, database: Database, storage: FilesystemStorage
) -> None:
    layer = await steps.push_blob(client, LAYER)
    (await path_of(database, storage, layer)).unlink()
    await found(database, storage, quick=True, repair=True)
    places = [await steps.begin(client), await steps.begin(client)]
    for place in places:
        done = await steps.ask(client, "PUT", f"{place}?digest={layer}", LAYER)
        assert done.status == 201
    await sweeping.sweep(database, storage)
    assert (await pull(client, layer)).body == LAYER
    assert await found(database, storage, safe_age=NOW) == []


async def test_leftovers_of_crashes_are_removed_when_they_are_old_and_uploads_are_left_alone(
    client: Client, database: Database, storage: FilesystemStorage, registry: Registry
) -> None:
    layer = await steps.push_blob(client, LAYER)
    repository = registry.repository(steps.REPOSITORY, SYSTEM)
    upload_id = await repository.begin_upload(Beginning())
    assert upload_id is not None
    async with repository.uploads.open(upload_id) as upload:
        await upload.append(pieces(b"half"))
    orphan, abandoned = storage.path(uuid.uuid4()), partial(storage)
    for path in (orphan, abandoned):
        path.write_bytes(b"left")
    assert await found(database, storage, repair=True) == [], "they are young"
    for path in [*orphan.parent.iterdir(), *abandoned.parent.iterdir(), orphan]:
        age(path)
    told = await found(database, storage)
    assert faults(told) == [Fault.ABANDONED, Fault.ORPHAN]
    assert all(one.is_open for one in told)
    assert {one.subject for one in told} == {str(uuid.UUID(p.name)) for p in (orphan, abandoned)}
    done = await found(database, storage, repair=True)
    assert not any(one.is_open for one in done)
    assert not orphan.exists()
    assert not abandoned.exists()
    assert await repository.uploads.offset(upload_id) == len(b"half")
    assert (await pull(client, layer)).body == LAYER
    assert await found(database, storage, safe_age=NOW) == []


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content


def partial(storage: FilesystemStorage) -> Path:
    folder = storage.path(uuid.UUID(int=0)).parents[2] / "partial"
    return folder / uuid.uuid4().hex


def age(path: Path) -> None:
    """Make a file two days old."""
    then = path.stat().st_mtime - 2 * 24 * 3600
    os.utime(path, (then, then))


async def test_what_waits_to_be_removed_and_what_an_import_links_is_no_orphan(
    client: Client, database: Database, storage: FilesystemStorage
) -> None:
    await steps.push_blob(client, LAYER)
    keys = [uuid.uuid4(), uuid.uuid4()]
    await sql(
        database,
        "INSERT INTO registry.tombstones (storage_key, reason) VALUES ($1, 'expired')",
        keys[0],
    )
    await sql(database, "INSERT INTO registry.adopted_storages (location) VALUES ('/old')")
    await sql(
        database,
        "INSERT INTO registry.adoptions (storage_id, digest, size_bytes, storage_key)"
        " SELECT id, $1, 4, $2 FROM registry.adopted_storages",
        bytes(33),
        keys[1],
    )
    for key in keys:
        storage.path(key).write_bytes(b"left")
        age(storage.path(key))
    assert await found(database, storage, repair=True) == []
    assert all(storage.path(key).exists() for key in keys)


async def test_a_manifest_that_its_rows_do_not_connect_to_what_it_names_dangles(
    client: Client, database: Database, storage: FilesystemStorage
) -> None:
    image = await steps.push_image(client, "1.0")
    index = steps.index([image])
    await steps.put_manifest(client, index, "all")
    await sql(database, "DELETE FROM registry.manifest_blobs WHERE role = 'layer'")
    await sql(database, "DELETE FROM registry.manifest_children")
    told = await found(database, storage, quick=True)
    assert faults(told) == [Fault.DANGLING, Fault.DANGLING]
    assert {one.subject: one.reason for one in told} == {
        steps.digest(image): f"nothing connects it to {steps.digest(LAYER)}",
        steps.digest(index): f"nothing connects it to {steps.digest(image)}",
    }


async def test_a_manifest_whose_bytes_changed_in_the_database_is_told(
    client: Client, database: Database, storage: FilesystemStorage
) -> None:
    image = await steps.push_image(client, "1.0")
    await sql(
        database,
        "UPDATE registry.manifests SET payload = payload || ' ', size_bytes = size_bytes + 1",
    )
    assert await found(database, storage, quick=True) == [], "only its digest tells"
    [told] = await found(database, storage)
    assert (told.fault, told.subject) == (Fault.MANIFEST_DAMAGED, steps.digest(image))
    await sql(database, "UPDATE registry.manifests SET payload = 'no json', size_bytes = 7")
    assert faults(await found(database, storage, quick=True)) == [Fault.MANIFEST_DAMAGED]


async def test_many_missing_objects_are_all_told(
    client: Client, database: Database, storage: FilesystemStorage
) -> None:
    """Also where a page of the listing spans more rows than a page of rows has."""
    await steps.push_blob(client, LAYER)
    await sql(
        database,
        "INSERT INTO registry.blobs (digest, size_bytes, storage_key)"
        " SELECT '\\x01'::bytea || sha256(n::text::bytea), 5, gen_random_uuid()"
        " FROM generate_series(1, 2500) AS n",
    )
    assert faults(await found(database, storage)) == [Fault.MISSING] * 2500


async def test_an_object_that_cannot_be_read_is_told_and_not_given_up(
    client: Client, database: Database, storage: FilesystemStorage
) -> None:
    layer = await steps.push_blob(client, LAYER)
    path = await path_of(database, storage, layer)
    path.unlink()
    path.mkdir()  # reading a folder is an error that is no absence
    size = path.stat().st_size
    await sql(database, "UPDATE registry.blobs SET size_bytes = $1", size)
    [told] = await found(database, storage, repair=True)
    assert (told.fault, told.is_repaired) == (Fault.UNREADABLE, False)
    assert await sql(database, "SELECT FROM registry.blobs WHERE lost_at IS NOT NULL") == []
