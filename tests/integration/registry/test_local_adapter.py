"""Kind `local`: the registry through its adapter, without HTTP."""

from __future__ import annotations

import pytest

from access.identity import SYSTEM
from adapters.base import AdapterContext, Endpoint
from adapters.local import LocalAdapter
from protocol import media_types
from protocol.content import RawManifest
from protocol.credential import Credential
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.errors import NotFound, Unreachable
from protocol.transport import Transport
from registry.service import Registry
from tests.integration.registry import steps


def adapter(registry: Registry | None) -> LocalAdapter:
    context = AdapterContext(
        endpoint=Endpoint(kind="local", url="local"),
        credential=Credential(),
        transport=Transport.__new__(Transport),  # local never talks
        local_registry=registry,
    )
    return LocalAdapter(context)


async def write_image(registry: Registry, repository: str, *tags: str) -> RawManifest:
    store = registry.repository(repository, SYSTEM)
    config = Descriptor(media_type="x", digest=Digest.of(b"{}"), size_bytes=2)
    upload = await store.begin_blob(config)
    if upload is not None:
        await upload.send(_once(b"{}"))
    body = steps.image(b"{}", [], annotations={"first": tags[0]})
    manifest = RawManifest(media_type=media_types.OCI_MANIFEST, digest=Digest.of(body), body=body)
    for tag in tags:
        await store.write_manifest(manifest, tag=tag)
    return manifest


async def _once(content: bytes):  # type: ignore[no-untyped-def]  # noqa: ANN202 a generator
    yield content


async def test_it_lists_what_is_there_with_digests(registry: Registry) -> None:
    local = adapter(registry)
    await local.check()
    one = await write_image(registry, "library/a", "1", "latest")
    two = await write_image(registry, "library/a", "0")
    await write_image(registry, "library/b", "x")
    repositories = await local.list_repositories()
    assert (list(repositories.items), repositories.cursor) == (["library/a", "library/b"], None)
    page = await local.list_artifacts("library/a")
    assert [(item.tags, item.digest) for item in page.items] == [
        (("0",), two.digest),
        (("1", "latest"), one.digest),
    ]
    with pytest.raises(NotFound):
        await local.list_artifacts("library/nowhere")


async def test_a_blob_of_another_repository_is_mounted(registry: Registry) -> None:
    await write_image(registry, "library/a", "1")
    config = Descriptor(media_type="x", digest=Digest.of(b"{}"), size_bytes=2)
    elsewhere = adapter(registry).content("library/elsewhere")
    assert not await elsewhere.has_blob(config)
    assert await elsewhere.begin_blob(config) is None
    assert await elsewhere.has_blob(config)


@pytest.mark.parametrize(("source", "expected"), [(None, False), (False, False), (True, True)])
async def test_preparing_makes_the_project_as_public_as_its_source(
    registry: Registry, *, source: bool | None, expected: bool
) -> None:
    local = adapter(registry)
    assert await local.visibility("mirror/app") is None
    await local.prepare("mirror/app", public=source)
    assert await local.visibility("mirror/app") is expected
    await local.prepare("mirror/other", public=not expected)
    assert await local.visibility("mirror/app") is expected


async def test_a_repository_that_is_not_there_has_no_tags(registry: Registry) -> None:
    store = adapter(registry).content("library/nowhere")
    assert [page async for page in store.tags()] == []


async def test_a_process_without_a_registry_says_so() -> None:
    with pytest.raises(Unreachable, match="no registry of its own"):
        adapter(None)
