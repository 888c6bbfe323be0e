"""What every adapter does, whatever kind of registry it is for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from adapters import plugins
from adapters.base import Adapter, Page
from protocol.errors import InvalidInput, NotFound, ProtocolError
from tests.contract import artifacts, places

LAYER = artifacts.blob(b"layer " * 500)
IMAGE = artifacts.image(LAYER, label="one")
OTHER = artifacts.image(LAYER, label="two")


@pytest.fixture(params=sorted(places.ADAPTED))
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind that has an adapter."""
    return str(request.param)


async def every(page_at: Callable[[str | None], Awaitable[Page[str]]]) -> AsyncIterator[str]:
    cursor: str | None = None
    while True:
        page = await page_at(cursor)
        for item in page.items:
            yield item
        cursor = page.cursor
        if cursor is None:
            return


async def repositories(adapter: Adapter) -> list[str]:
    found = every(lambda cursor: adapter.list_repositories(cursor=cursor))
    return [name async for name in found]


async def listed(adapter: Adapter, repository: str) -> dict[str, str | None]:
    """Return the digest of each tag, where the listing gives it."""
    found: dict[str, str | None] = {}
    cursor: str | None = None
    while True:
        page = await adapter.list_artifacts(repository, cursor=cursor)
        for artifact in page.items:
            assert artifact.repository == repository
            digest = str(artifact.digest) if artifact.digest else None
            found |= dict.fromkeys(artifact.tags, digest)
        cursor = page.cursor
        if cursor is None:
            return found


async def put(adapter: Adapter, repository: str, image: artifacts.Image, tag: str) -> None:
    await adapter.prepare(repository, public=False)
    await artifacts.put_image(adapter.content(repository), image, tag=tag)


async def test_a_registry_that_answers_is_healthy(adapter: Adapter) -> None:
    await adapter.check()


async def test_what_was_written_is_listed(adapter: Adapter) -> None:
    await put(adapter, "mirror/app", IMAGE, "1.0")
    await put(adapter, "mirror/app", OTHER, "2.0")
    await put(adapter, "mirror/deep/er/app", IMAGE, "1.0")
    assert {"mirror/app", "mirror/deep/er/app"} <= {*await repositories(adapter)}
    found = await listed(adapter, "mirror/app")
    assert set(found) == {"1.0", "2.0"}
    assert found["1.0"] in {None, str(IMAGE.manifest.digest)}
    assert found["2.0"] in {None, str(OTHER.manifest.digest)}


async def test_nothing_is_listed_twice(adapter: Adapter) -> None:
    for number in range(7):
        await put(adapter, f"mirror/app{number}", IMAGE, "1.0")
    names = await repositories(adapter)
    assert len(names) == len(set(names))


async def test_a_repository_that_is_not_there_is_not_found(adapter: Adapter) -> None:
    with pytest.raises(NotFound):
        await adapter.list_artifacts("mirror/nowhere")


async def test_preparing_twice_is_fine(adapter: Adapter) -> None:
    await adapter.prepare("mirror/app", public=True)
    await adapter.prepare("mirror/app", public=False)
    await put(adapter, "mirror/app", IMAGE, "1.0")


async def test_a_store_is_of_the_repository_it_was_asked_for(adapter: Adapter) -> None:
    assert adapter.content("mirror/app").repository == "mirror/app"


async def test_a_name_that_is_no_repository_is_refused(adapter: Adapter) -> None:
    with pytest.raises((InvalidInput, ProtocolError)):
        await artifacts.put_image(adapter.content("../Nowhere"), IMAGE, tag="1.0")


async def test_what_it_declares_is_what_it_was_found_as(adapter: Adapter) -> None:
    assert plugins.kinds()[adapter.info.kind] == adapter.info
    assert adapter.info.description


async def test_its_requests_are_counted(adapter: Adapter) -> None:
    before = adapter.requests
    await adapter.list_repositories()
    assert adapter.requests - before in {0, 1}


async def test_visibility_is_said_or_unknown(adapter: Adapter) -> None:
    await put(adapter, "mirror/app", IMAGE, "1.0")
    assert await adapter.visibility("mirror/app") in {None, False}
