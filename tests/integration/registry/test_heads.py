"""HEAD says what GET would, conditions and caching hold for both, and everything is versioned."""

from __future__ import annotations

import pytest

from tests.integration.registry import steps
from tests.integration.registry.steps import REPOSITORY, Client, ask

BASE = f"/v2/{REPOSITORY}"
LAYER = steps.digest(b"layer")
FOR_EVER = "private, max-age=31536000, immutable"
# Of one answer or of the connection, not of the resource.
APART = {"Date", "Server", "Connection"}


async def the_paths(client: Client) -> dict[str, str]:
    body = await steps.push_image(client, "latest")
    return {
        "root": "/v2/",
        "tag": f"{BASE}/manifests/latest",
        "digest": f"{BASE}/manifests/{steps.digest(body)}",
        "blob": f"{BASE}/blobs/{LAYER}",
        "tags": f"{BASE}/tags/list",
        "referrers": f"{BASE}/referrers/{steps.digest(body)}",
        "catalog": "/v2/_catalog",
        "upload": await steps.begin(client),
        "no tag": f"{BASE}/manifests/other",
        "no blob": f"{BASE}/blobs/{steps.digest(b'nowhere')}",
        "no digest": f"{BASE}/blobs/sha256:bad",
        "no address": f"{BASE}/nothing",
    }


async def test_head_answers_as_get_without_a_body(client: Client) -> None:
    for what, path in (await the_paths(client)).items():
        got, head = await ask(client, "GET", path), await ask(client, "HEAD", path)
        assert head.body == b"", what
        assert head.status == got.status, what
        facts = [
            {name: value for name, value in answer.headers.items() if name not in APART}
            for answer in (got, head)
        ]
        assert facts[0] == facts[1], what
        assert got.headers["Docker-Distribution-API-Version"] == "registry/2.0", what
        if got.status == 200:
            assert int(got.headers["Content-Length"]) == len(got.body), what


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_a_client_holds_is_not_sent_again_and_it_knows_how_long_to_keep_it(
    client: Client, method: str
) -> None:
    paths = await the_paths(client)
    for what, caching in (("tag", "private, no-cache"), ("digest", FOR_EVER), ("blob", FOR_EVER)):
        answer = await ask(client, method, paths[what])
        assert (answer.status, answer.headers["Cache-Control"]) == (200, caching), what
        tag = f'"{answer.headers["Docker-Content-Digest"]}"'
        assert answer.headers["ETag"] == tag, what
        for condition in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            held = await ask(client, method, paths[what], If_None_Match=condition)
            assert (held.status, held.body) == (304, b""), (what, condition)
            assert (held.headers["ETag"], held.headers["Cache-Control"]) == (tag, caching), what
        other = await ask(client, method, paths[what], If_None_Match='"other"')
        assert other.status == 200, what


async def test_the_registry_behind_a_mirror_may_be_named(client: Client) -> None:
    """containerd names the upstream in `ns` when it asks a mirror."""
    for what, path in (await the_paths(client)).items():
        answer = await ask(client, "GET", f"{path}?ns=docker.io", OCI_Namespace="docker.io")
        assert answer.status == (await ask(client, "GET", path)).status, what


async def test_every_location_is_relative(client: Client) -> None:
    location = await steps.begin(client)
    patched = await ask(client, "PATCH", location, b"abc")
    status = await ask(client, "GET", location)
    put = await ask(client, "PUT", f"{location}?digest={steps.digest(b'abc')}")
    manifest = await steps.put_manifest(client, steps.index([]), "latest")
    for answer in (patched, status, put, manifest):
        assert answer.headers["Location"].startswith("/v2/library/")
