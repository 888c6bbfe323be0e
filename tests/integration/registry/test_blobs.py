"""The rows B0 to B16, R1 and R2 of the conformance suites' content."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from yarl import URL

from protocol.digest import Algorithm
from tests.integration.registry import steps
from tests.integration.registry.steps import REPOSITORY, Client, ask, begin

ALGORITHMS = pytest.mark.parametrize("algorithm", list(Algorithm))
BLOBS = f"/v2/{REPOSITORY}/blobs"
CONTENT = bytes(range(256)) * 16


async def is_there(client: Client, name: str, content: bytes) -> None:
    head = await ask(client, "HEAD", f"{BLOBS}/{name}")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(content))
    assert head.headers["Docker-Content-Digest"] == name
    got = await ask(client, "GET", f"{BLOBS}/{name}")
    assert (got.status, got.body) == (200, content)
    assert got.headers["Content-Type"] == "application/octet-stream"


@ALGORITHMS
@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_b0_a_random_blob_is_unknown(
    client: Client, method: str, algorithm: Algorithm
) -> None:
    answer = await ask(client, method, f"{BLOBS}/{steps.digest(b'nowhere', algorithm)}")
    assert answer.status == 404
    assert method == "HEAD" or answer.code == "BLOB_UNKNOWN"


@ALGORITHMS
@pytest.mark.parametrize("content", [CONTENT, b"", b"{}"], ids=["4KiB", "empty", "braces"])
async def test_b1_a_whole_blob_in_one_post(
    client: Client, algorithm: Algorithm, content: bytes
) -> None:
    name = steps.digest(content, algorithm)
    answer = await ask(client, "POST", f"{BLOBS}/uploads/?digest={name}", content)
    assert answer.status == 201
    assert answer.headers["Location"] == f"{BLOBS}/{name}"
    assert answer.headers["Docker-Content-Digest"] == name
    await is_there(client, name, content)


@ALGORITHMS
@pytest.mark.parametrize("content", [CONTENT, b"", b"{}"], ids=["4KiB", "empty", "braces"])
async def test_b2_post_then_put(client: Client, algorithm: Algorithm, content: bytes) -> None:
    name = await steps.push_blob(client, content, algorithm=algorithm)
    await is_there(client, name, content)


@ALGORITHMS
async def test_b3_one_chunk_then_an_empty_put(client: Client, algorithm: Algorithm) -> None:
    name = steps.digest(CONTENT, algorithm)
    patched = await ask(client, "PATCH", await begin(client), CONTENT, Content_Range="0-4095")
    assert patched.status == 202
    put = await ask(client, "PUT", f"{patched.headers['Location']}?digest={name}")
    assert put.status == 201
    await is_there(client, name, CONTENT)


@ALGORITHMS
async def test_b4_a_streamed_patch(client: Client, algorithm: Algorithm) -> None:
    async def streamed() -> AsyncIterator[bytes]:
        for start in range(0, len(CONTENT), 1000):
            yield CONTENT[start : start + 1000]

    name = steps.digest(CONTENT, algorithm)
    patched = await ask(client, "PATCH", await begin(client), streamed())
    assert (patched.status, patched.headers["Range"]) == (202, "0-4095")
    put = await ask(client, "PUT", f"{patched.headers['Location']}?digest={name}")
    assert put.status == 201
    await is_there(client, name, CONTENT)


@ALGORITHMS
@pytest.mark.parametrize("last_in_put", [False, True], ids=["b5", "b6"])
async def test_b5_b6_b7_chunks_in_order_and_out_of_it(
    client: Client, algorithm: Algorithm, *, last_in_put: bool
) -> None:
    name = steps.digest(CONTENT, algorithm)
    location = await begin(client)
    bounds = [(0, 1023), (1024, 2999), (3000, 4095)]
    for first, last in bounds[: 2 if last_in_put else 3]:
        for wrong in (f"{first + 1}-{last + 1}", f"0-{last - first}" if first else "5-9"):
            chunk = CONTENT[: last - first + 1] if wrong != "5-9" else CONTENT[:5]
            refused = await ask(client, "PATCH", location, chunk, Content_Range=wrong)
            assert refused.status == 416
            status = await ask(client, "GET", location)
            assert status.status == 204
            assert status.headers["Range"] == f"0-{max(first - 1, 0)}"
            location = status.headers["Location"]
        chunk = CONTENT[first : last + 1]
        taken = await ask(client, "PATCH", location, chunk, Content_Range=f"{first}-{last}")
        assert (taken.status, taken.headers["Range"]) == (202, f"0-{last}")
        location = taken.headers["Location"]
    if last_in_put:
        # B8: a wrong last chunk leaves the session as it was.
        url = f"{location}?digest={name}"
        assert (await ask(client, "PUT", url, b"x" * 10, Content_Range="0-9")).status == 416
        assert (await ask(client, "GET", location)).headers["Range"] == "0-2999"
        put = await ask(client, "PUT", url, CONTENT[3000:], Content_Range="3000-4095")
    else:
        put = await ask(client, "PUT", f"{location}?digest={name}")
    assert put.status == 201
    await is_there(client, name, CONTENT)


@ALGORITHMS
async def test_b9_a_first_chunk_sent_again_is_refused_and_harms_nothing(
    client: Client, algorithm: Algorithm
) -> None:
    location = await begin(client)
    first = await ask(client, "PATCH", location, CONTENT[:1024], Content_Range="0-1023")
    assert first.status == 202
    again = await ask(client, "PATCH", location, CONTENT[:1024], Content_Range="0-1023")
    assert again.status == 416
    status = await ask(client, "GET", location)
    assert (status.status, status.headers["Range"]) == (204, "0-1023")
    name = steps.digest(CONTENT, algorithm)
    url = f"{status.headers['Location']}?digest={name}"
    put = await ask(client, "PUT", url, CONTENT[1024:], Content_Range="1024-4095")
    assert put.status == 201
    await is_there(client, name, CONTENT)


@ALGORITHMS
@pytest.mark.parametrize("content", [b"", b"{}"], ids=["empty", "braces"])
@pytest.mark.parametrize("way", ["b3 chunk", "b4 stream", "b10 mount"])
async def test_b15_the_smallest_blobs_go_every_way(
    client: Client, algorithm: Algorithm, content: bytes, way: str
) -> None:
    async def streamed() -> AsyncIterator[bytes]:
        yield content

    name = steps.digest(content, algorithm)
    if way == "b10 mount":
        await steps.push_blob(client, content, repository="library/other", algorithm=algorithm)
        url = f"{BLOBS}/uploads/?mount={name}&from=library/other"
        assert (await ask(client, "POST", url)).status == 201
    else:
        location = await begin(client)
        if content and way == "b3 chunk":
            taken = await ask(client, "PATCH", location, content, Content_Range="0-1")
        else:
            taken = await ask(client, "PATCH", location, streamed())
        assert (taken.status, taken.headers["Range"]) == (202, f"0-{max(len(content) - 1, 0)}")
        assert (await ask(client, "PUT", f"{location}?digest={name}")).status == 201
    await is_there(client, name, content)


async def test_an_address_comes_back_encoded_and_with_more_in_its_query(client: Client) -> None:
    """Clients add to the Location what they want, and some encode the colon."""
    name = steps.digest(CONTENT)
    query = f"_state=a%2Fb%3D&digest={name.replace(':', '%3A')}&ns=docker.io"
    put = await ask(client, "PUT", URL(f"{await begin(client)}?{query}", encoded=True), CONTENT)
    assert put.status == 201
    await is_there(client, name, CONTENT)


@ALGORITHMS
async def test_b10_a_blob_is_mounted_from_another_repository(
    client: Client, algorithm: Algorithm
) -> None:
    name = await steps.push_blob(client, CONTENT, repository="library/other", algorithm=algorithm)
    url = f"{BLOBS}/uploads/?mount={name}&from=library/other"
    mounted = await ask(client, "POST", url)
    assert mounted.status == 201
    assert mounted.headers["Location"] == f"{BLOBS}/{name}"
    await is_there(client, name, CONTENT)


@ALGORITHMS
async def test_b11_b12_what_is_nowhere_is_not_mounted_and_can_be_uploaded(
    client: Client, algorithm: Algorithm
) -> None:
    name = steps.digest(CONTENT, algorithm)
    await begin(client, query=f"?mount={name}")
    location = await begin(client, query=f"?mount={name}&from=library/other")
    assert (await ask(client, "PUT", f"{location}?digest={name}", CONTENT)).status == 201
    await is_there(client, name, CONTENT)


async def test_b13_a_cancelled_upload_is_gone(client: Client) -> None:
    location = await begin(client)
    assert (await ask(client, "PATCH", location, b"abc")).status == 202
    assert (await ask(client, "DELETE", location)).status == 204
    for method in ("GET", "DELETE", "PATCH"):
        answer = await ask(client, method, location)
        assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")


@ALGORITHMS
@pytest.mark.parametrize("way", ["post", "put", "chunked"])
async def test_b14_a_wrong_digest_is_refused(
    client: Client, algorithm: Algorithm, way: str
) -> None:
    wrong = steps.digest(b"something else", algorithm)
    if way == "post":
        answer = await ask(client, "POST", f"{BLOBS}/uploads/?digest={wrong}", CONTENT)
    else:
        location = await begin(client)
        rest = CONTENT
        if way == "chunked":
            await ask(client, "PATCH", location, CONTENT[:1024], Content_Range="0-1023")
            rest = CONTENT[1024:]
        answer = await ask(client, "PUT", f"{location}?digest={wrong}", rest)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    for name in (wrong, steps.digest(CONTENT, algorithm)):
        assert (await ask(client, "HEAD", f"{BLOBS}/{name}")).status == 404


async def test_b16_a_deleted_blob_is_gone_at_once(client: Client) -> None:
    name = await steps.push_blob(client, CONTENT)
    assert (await ask(client, "DELETE", f"{BLOBS}/{name}")).status == 202
    assert (await ask(client, "HEAD", f"{BLOBS}/{name}")).status == 404
    assert (await ask(client, "DELETE", f"{BLOBS}/{name}")).status == 404


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=500-1499", 500, 1499),
        ("bytes=500-", 500, 4095),
        ("bytes=-500", 3596, 4095),
        ("bytes=2000-5000", 2000, 4095),
    ],
)
async def test_r1_a_range_of_a_blob(client: Client, wanted: str, first: int, last: int) -> None:
    name = await steps.push_blob(client, CONTENT)
    answer = await ask(client, "GET", f"{BLOBS}/{name}", Range=wanted)
    assert (answer.status, answer.body) == (206, CONTENT[first : last + 1])
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/4096"


@pytest.mark.parametrize("wanted", ["bytes=500-0", "bytes=5000-10000"])
async def test_r2_a_range_that_is_none(client: Client, wanted: str) -> None:
    name = await steps.push_blob(client, CONTENT)
    assert (await ask(client, "GET", f"{BLOBS}/{name}", Range=wanted)).status == 416
    await is_there(client, name, CONTENT)


async def test_a_blob_already_held_is_not_sent_again(client: Client) -> None:
    name = await steps.push_blob(client, CONTENT)
    answer = await ask(client, "GET", f"{BLOBS}/{name}", If_None_Match=f'"{name}"')
    assert (answer.status, answer.body) == (304, b"")


async def test_many_clients_push_one_digest_at_once(client: Client) -> None:
    content = CONTENT * 400
    name = steps.digest(content)

    async def push() -> int:
        location = await begin(client)
        answer = await ask(client, "PUT", f"{location}?digest={name}", content)
        return answer.status

    async with asyncio.TaskGroup() as group:
        pushes = [group.create_task(push()) for _ in range(10)]
    assert [task.result() for task in pushes] == [201] * 10
    await is_there(client, name, content)


async def test_an_upload_belongs_to_its_repository(client: Client) -> None:
    location = await begin(client, "library/one")
    await begin(client, "library/two")
    answer = await ask(client, "PATCH", location.replace("one", "two"), b"abc")
    assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")


@pytest.mark.parametrize("upload", ["nonsense", "..%2f..%2fetc", "%00"])
async def test_an_upload_id_that_is_none_is_unknown(client: Client, upload: str) -> None:
    answer = await ask(client, "GET", f"{BLOBS}/uploads/{upload}")
    assert answer.status == 404
