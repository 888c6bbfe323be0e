"""The rows M1 to M9, T1 and D1 to D3 of the conformance suites' content."""

from __future__ import annotations

import asyncio
import json

import pytest

from database.pool import Database
from protocol import media_types
from protocol.content import MANIFEST_LIMIT_BYTES
from protocol.digest import Algorithm
from registry.service import Registry
from tests.integration.registry import steps
from tests.integration.registry.steps import REPOSITORY, Client, ask

BASE = f"/v2/{REPOSITORY}"
MANIFESTS = f"{BASE}/manifests"


async def serves(client: Client, reference: str, body: bytes, media_type: str) -> None:
    for method in ("HEAD", "GET"):
        answer = await ask(client, method, f"{MANIFESTS}/{reference}")
        assert answer.status == 200, (method, reference)
        assert answer.headers["Content-Type"] == media_type
        assert answer.headers["Content-Length"] == str(len(body))
        assert answer.body == (b"" if method == "HEAD" else body)


async def an_image(client: Client) -> bytes:
    return await steps.push_image(client)


async def a_large_manifest(client: Client) -> bytes:
    return await steps.push_image(client, annotations={f"k{i}": "x" * 10_000 for i in range(390)})


async def without_layers(client: Client) -> bytes:
    await steps.push_blob(client, b"{}")
    return steps.image(b"{}", [], artifactType="application/x.test")


async def with_data_and_unknown_fields(client: Client) -> bytes:
    await steps.push_blob(client, b"{}")
    value = json.loads(steps.image(b"{}", [], org_example_custom={"a": [1]}))
    value["config"]["data"] = "e30="
    value["config"]["org.example"] = "x"
    return json.dumps(value, indent=3).encode()


async def with_foreign_layers(client: Client) -> bytes:
    await steps.push_blob(client, b"{}")
    value = json.loads(steps.image(b"{}", []))
    media_type = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    value["layers"] = [{**steps.descriptor(b"elsewhere", media_type), "urls": ["http://x/"]}]
    return json.dumps(value).encode()


async def with_uncompressed_layers(client: Client) -> bytes:
    await steps.push_image(client)
    value = json.loads(steps.image(b"{}", []))
    value["layers"] = [steps.descriptor(b"layer", "application/vnd.oci.image.layer.v1.tar")]
    await steps.push_blob(client, b"{}")
    return json.dumps(value).encode()


async def an_artifact(client: Client) -> bytes:
    await steps.push_blob(client, b"{}")
    await steps.push_blob(client, b"text")
    value = json.loads(steps.image(b"{}", [], artifactType="application/x.test"))
    value["config"]["mediaType"] = "application/vnd.oci.empty.v1+json"
    value["layers"] = [steps.descriptor(b"text", "text/plain")]
    return json.dumps(value).encode()


async def an_artifact_index(client: Client) -> bytes:
    await steps.put_manifest(client, child := await an_artifact(client))
    return steps.index([child], artifactType="application/x.test")


async def without_config_or_layers_of_substance(client: Client) -> bytes:
    await steps.push_blob(client, b"{}")
    return steps.image(b"{}", [])


async def an_index(client: Client) -> bytes:
    return steps.index([await steps.push_image(client), await steps.push_image(client, "b")])


async def an_empty_index(client: Client) -> bytes:
    del client
    return steps.index([])


async def a_nested_index(client: Client) -> bytes:
    inner = await an_index(client)
    await steps.put_manifest(client, inner)
    value = json.loads(steps.index([]))
    value["manifests"] = [steps.descriptor(inner, media_types.OCI_INDEX)]
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    "build",
    [
        an_image,
        a_large_manifest,
        with_uncompressed_layers,
        an_artifact,
        an_artifact_index,
        without_config_or_layers_of_substance,
        without_layers,
        with_data_and_unknown_fields,
        with_foreign_layers,
        an_index,
        an_empty_index,
        a_nested_index,
    ],
)
async def test_m1_m2_m3_manifests_come_back_as_they_went_in(client: Client, build) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 a function of this file
    body = await build(client)
    media_type = json.loads(body)["mediaType"]
    name = steps.digest(body)
    put = await steps.put_manifest(client, body)
    assert put.status == 201
    assert put.headers["Docker-Content-Digest"] == name
    assert put.headers["Location"] == f"{MANIFESTS}/{name}"
    assert (await steps.put_manifest(client, body, "tagged")).status == 201
    await serves(client, name, body, media_type)
    await serves(client, "tagged", body, media_type)


async def test_m5_an_image_of_sha512_digests(client: Client) -> None:
    for content in (b"config", b"layer"):
        await steps.push_blob(client, content, algorithm=Algorithm.SHA512)
    value = json.loads(steps.image(b"config", []))
    layer = steps.descriptor(b"layer", media_types.OCI_LAYER_GZIP, Algorithm.SHA512)
    value["layers"] = [layer]
    value["config"] = steps.descriptor(b"config", media_types.OCI_CONFIG, Algorithm.SHA512)
    body = json.dumps(value).encode()
    name = steps.digest(body, Algorithm.SHA512)
    put = await steps.put_manifest(client, body, name)
    assert (put.status, put.headers["Docker-Content-Digest"]) == (201, name)
    await serves(client, name, body, media_types.OCI_MANIFEST)


async def test_m6_another_digest_than_the_contents_is_refused(client: Client) -> None:
    body = await an_image(client)
    answer = await steps.put_manifest(client, body, steps.digest(b"other"))
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


@pytest.mark.parametrize("method", ["PUT", "GET", "HEAD", "DELETE"])
async def test_m7_what_is_no_digest_is_refused(client: Client, method: str) -> None:
    body = steps.index([]) if method == "PUT" else None
    answer = await ask(client, method, f"{MANIFESTS}/sha256:baddigeststring", body)
    assert answer.status == 400


@pytest.mark.parametrize("reference", ["nowhere", steps.digest(b"nowhere")])
async def test_m8_what_is_not_there_is_unknown(client: Client, reference: str) -> None:
    answer = await ask(client, "GET", f"{MANIFESTS}/{reference}")
    assert (answer.status, answer.code) == (404, "MANIFEST_UNKNOWN")


async def test_m9_a_digest_with_several_tags(client: Client) -> None:
    body = await an_image(client)
    tags = [f"t{number}" for number in range(12)]
    query = "&".join(f"tag={tag}" for tag in tags)
    url = f"{MANIFESTS}/{steps.digest(body)}?{query}"
    async with client.put(
        url, data=body, headers={"Content-Type": media_types.OCI_MANIFEST}
    ) as response:
        assert response.status == 201
        assert response.headers.getall("OCI-Tag") == tags
    for tag in tags:
        await serves(client, tag, body, media_types.OCI_MANIFEST)


async def test_m4_an_index_with_holes_is_refused(client: Client) -> None:
    """A tag stands for something complete (docs/conformance.md)."""
    present = await steps.push_image(client)
    answer = await steps.put_manifest(client, steps.index([present, b"elsewhere"]), "sparse")
    assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert steps.digest(b"elsewhere") in answer.body.decode()
    assert (await ask(client, "HEAD", f"{MANIFESTS}/sparse")).status == 404


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_a_client_says_it_takes_changes_nothing(client: Client, method: str) -> None:
    body = steps.index([await steps.push_image(client)])
    await steps.put_manifest(client, body, "latest")
    answer = await ask(client, method, f"{MANIFESTS}/latest", Accept=media_types.OCI_MANIFEST)
    assert (answer.status, answer.headers["Content-Type"]) == (200, media_types.OCI_INDEX)


async def test_everything_that_is_missing_is_named(client: Client) -> None:
    answer = await steps.put_manifest(client, steps.image(b"config", [b"one", b"two"]), "t")
    assert answer.status == 400
    assert {fault["code"] for fault in answer.json["errors"]} == {"MANIFEST_BLOB_UNKNOWN"}
    for content in (b"config", b"one", b"two"):
        assert steps.digest(content) in answer.body.decode()
    incomplete = await steps.put_manifest(client, steps.index([b"{}"]), "t")
    assert (incomplete.status, incomplete.code) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert (await ask(client, "GET", f"{MANIFESTS}/t")).status == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"nonsense",
        b'{"schemaVersion":2,"schemaVersion":2}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"schemaVersion":1}',
        b'{"schemaVersion":2,"mediaType":"text/plain","config":{}}',
    ],
    ids=["empty", "list", "text", "twice", "no utf-8", "deep", "schema 1", "type"],
)
async def test_what_is_no_manifest_is_refused(client: Client, body: bytes) -> None:
    path = f"{MANIFESTS}/t"
    answer = await ask(client, "PUT", path, body, Content_Type=media_types.OCI_MANIFEST)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


async def test_two_media_types_that_disagree_are_refused(client: Client) -> None:
    body = steps.index([])
    path = f"{MANIFESTS}/t"
    answer = await ask(client, "PUT", path, body, Content_Type=media_types.DOCKER_LIST)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")
    with_parameters = f"{media_types.OCI_INDEX}; charset=utf-8"
    assert (await ask(client, "PUT", path, body, Content_Type=with_parameters)).status == 201
    await serves(client, "t", body, media_types.OCI_INDEX)


async def test_a_manifest_of_the_limit_fits_and_one_byte_more_does_not(client: Client) -> None:
    body = steps.index([])
    fitting = body + b" " * (MANIFEST_LIMIT_BYTES - len(body))

    async def streamed(content: bytes):  # type: ignore[no-untyped-def]  # noqa: ANN202 a generator
        for start in range(0, len(content), 65536):
            yield content[start : start + 65536]

    path = f"{MANIFESTS}/t"
    kind = media_types.OCI_INDEX
    assert (await ask(client, "PUT", path, streamed(fitting), Content_Type=kind)).status == 201
    refused = await ask(client, "PUT", path, streamed(fitting + b" "), Content_Type=kind)
    assert refused.status == 413


async def test_the_length_of_a_tag_is_limited(client: Client) -> None:
    body = await an_image(client)
    assert (await steps.put_manifest(client, body, "t" * 128)).status == 201
    refused = await steps.put_manifest(client, body, "t" * 129)
    assert (refused.status, refused.code) == (400, "TAG_INVALID")


async def test_one_tag_pushed_at_once_points_to_one_of_them(client: Client) -> None:
    bodies = [await steps.push_image(client, f"v{number}") for number in range(6)]
    async with asyncio.TaskGroup() as group:
        puts = [group.create_task(steps.put_manifest(client, body, "latest")) for body in bodies]
    assert [put.result().status for put in puts] == [201] * 6
    assert (await ask(client, "GET", f"{MANIFESTS}/latest")).body in bodies


async def test_t1_tags_come_in_bytewise_order_by_pages(client: Client) -> None:
    body = await an_image(client)
    tags = ["B", "_x", "a", "a-1", "a.1", "b", "latest"]
    for tag in reversed(tags):
        await steps.put_manifest(client, body, tag)
    whole = await ask(client, "GET", f"{BASE}/tags/list")
    assert whole.json == {"name": REPOSITORY, "tags": tags}
    assert "Link" not in whole.headers
    after_the_middle = await ask(client, "GET", f"{BASE}/tags/list?last={tags[3]}")
    assert after_the_middle.json["tags"] == tags[4:]
    rest = await ask(client, "GET", f"{BASE}/tags/list?last=a-0")
    assert rest.json["tags"] == ["a-1", "a.1", "b", "latest"]
    seen: list[str] = []
    url: str | None = f"{BASE}/tags/list?n=3"
    while url:
        page = await ask(client, "GET", url)
        seen += page.json["tags"]
        link = page.headers.get("Link")
        url = link.partition(">")[0].lstrip("<") if link else None
    assert seen == tags
    nothing = await ask(client, "GET", f"{BASE}/tags/list?n=0")
    assert (nothing.json["tags"], "Link" in nothing.headers) == ([], False)


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "%31%30x"])
async def test_a_page_size_that_is_no_number_is_refused(client: Client, number: str) -> None:
    answer = await ask(client, "GET", f"{BASE}/tags/list?n={number}")
    assert (answer.status, answer.code) == (400, "PAGINATION_NUMBER_INVALID")


async def test_e1_the_tags_of_a_repository_never_pushed_are_unknown(client: Client) -> None:
    answer = await ask(client, "GET", f"{BASE}/tags/list")
    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")


async def test_d1_deleting_a_tag_deletes_nothing_else(client: Client) -> None:
    body = await steps.push_image(client, "one")
    await steps.put_manifest(client, body, "two")
    assert (await ask(client, "DELETE", f"{MANIFESTS}/one")).status == 202
    assert (await ask(client, "HEAD", f"{MANIFESTS}/one")).status == 404
    assert (await ask(client, "DELETE", f"{MANIFESTS}/one")).status == 404
    await serves(client, steps.digest(body), body, media_types.OCI_MANIFEST)
    assert (await ask(client, "GET", f"{BASE}/tags/list")).json["tags"] == ["two"]


async def test_d2_d3_manifests_go_parents_first_then_their_blobs(client: Client) -> None:
    child = await steps.push_image(client)
    parent = steps.index([child])
    await steps.put_manifest(client, parent, "latest")
    layer = steps.digest(b"layer")
    child_url = f"{MANIFESTS}/{steps.digest(child)}"
    refused = await ask(client, "DELETE", child_url)
    assert (refused.status, refused.code) == (405, "UNSUPPORTED")
    assert steps.digest(parent) in refused.body.decode()
    assert (await ask(client, "DELETE", f"{BASE}/blobs/{layer}")).status == 405
    assert (await ask(client, "DELETE", f"{MANIFESTS}/{steps.digest(parent)}")).status == 202
    assert (await ask(client, "HEAD", f"{MANIFESTS}/latest")).status == 404
    assert (await ask(client, "DELETE", child_url)).status == 202
    assert (await ask(client, "HEAD", child_url)).status == 404
    assert (await ask(client, "DELETE", f"{BASE}/blobs/{layer}")).status == 202
    assert (await ask(client, "HEAD", f"{BASE}/blobs/{layer}")).status == 404


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_request_by_tag_counts_as_use_of_it_and_of_the_indexes_above(
    client: Client, database: Database, registry: Registry, method: str
) -> None:
    child = await steps.push_image(client, "child")
    await steps.put_manifest(client, parent := steps.index([child]), "parent")
    await steps.put_manifest(client, steps.index([parent]), "grandparent")
    await ask(client, method, f"{MANIFESTS}/child")
    await steps.merge_uses(database, registry)
    async with database.connection() as connection:
        used = await connection.fetch(
            "SELECT t.name, t.last_used_at IS NOT NULL AS tag,"
            " m.last_used_at IS NOT NULL AS manifest FROM registry.tags t"
            " JOIN registry.manifests m ON m.id = t.manifest_id ORDER BY t.name"
        )
    assert [tuple(row.values()) for row in used] == [
        ("child", True, True),
        ("grandparent", False, True),
        ("parent", False, True),
    ]


async def test_a_pull_does_not_wait_for_a_push_to_note_its_use(
    client: Client, database: Database
) -> None:
    await steps.push_image(client, "latest")
    async with database.transaction() as connection, asyncio.timeout(5):
        await connection.execute("SELECT FROM registry.manifests FOR UPDATE")
        await connection.execute("SELECT FROM registry.tags FOR UPDATE")
        assert (await ask(client, "GET", f"{MANIFESTS}/latest")).status == 200


async def test_a_manifest_already_held_is_not_sent_again(client: Client) -> None:
    body = await steps.push_image(client, "latest")
    tag = f'W/"x", "{steps.digest(body)}"'
    answer = await ask(client, "GET", f"{MANIFESTS}/latest", If_None_Match=tag)
    assert (answer.status, answer.body) == (304, b"")
