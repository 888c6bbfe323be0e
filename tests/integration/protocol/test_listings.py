from __future__ import annotations

import pytest

from protocol.client.registry import RegistryClient
from protocol.client.repository import RemoteRepository
from protocol.errors import NotFound, Rejected, Unsupported
from tests.fakes.registry.faults import Fault
from tests.fakes.registry.server import FakeRegistry


def fill(registry: FakeRegistry, count: int) -> list[str]:
    held = registry.repository("a/b")
    image = held.put_image()
    for number in range(count):
        held.tags[f"v{number:03}"] = str(image.digest)
    return sorted(held.tags)


async def listed(repository: RemoteRepository) -> list[str]:
    return [tag async for page in repository.tags() for tag in page]


@pytest.mark.parametrize("link", ["relative", "absolute", None])
async def test_all_tags_come_by_whatever_link(
    registry: FakeRegistry, repository: RemoteRepository, link: str | None
) -> None:
    tags = fill(registry, 25)
    registry.habits.link, registry.habits.page_size = link, 10
    assert await listed(repository) == tags
    assert registry.requests.count("GET", "tags") == (1 if link is None else 3)


async def test_a_listing_that_leads_in_a_circle_ends(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    tags = fill(registry, 5)
    registry.habits.link, registry.habits.page_size = "loop", 10
    assert await listed(repository) == tags
    assert registry.requests.count("GET", "tags") <= 2


async def test_nulls_digests_and_doubles_are_no_tags(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    tags = fill(registry, 2)
    registry.habits.odd_tags = (None, 5, "", tags[0], "sha256:" + "a" * 64)
    assert await listed(repository) == tags


async def test_a_link_to_the_registrys_inner_name_is_followed_on_its_outer_one(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    fill(registry, 2)
    inner = {"Link": '<http://registry.internal:5000/v2/a/b/tags/list?last=v000>; rel="next"'}
    body = b'{"name": "a/b", "tags": ["v000"]}'
    registry.faults.add(Fault(method="GET", kind="tags", status=200, headers=inner, body=body))
    assert await listed(repository) == ["v000", "v001"]


async def test_no_more_than_1000_are_asked_for(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    fill(registry, 1)
    await listed(repository)
    assert registry.requests.seen[0][2].endswith("?n=1000")


async def test_a_missing_repository_has_no_tags_and_its_page_is_not_found(
    repository: RemoteRepository, client: RegistryClient
) -> None:
    assert await listed(repository) == []
    with pytest.raises(NotFound):
        await client.tags_page("a/b")


async def test_an_empty_list_may_be_null(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    registry.repository("a/b")
    assert await listed(repository) == []


async def test_pages_are_opened_by_their_cursor(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    tags = fill(registry, 15)
    registry.habits.page_size = 10
    first = await client.tags_page("a/b")
    second = await client.tags_page("a/b", first.cursor)
    assert [*first.items, *second.items] == tags
    assert second.cursor is None


async def test_the_catalog_comes_by_pages(registry: FakeRegistry, client: RegistryClient) -> None:
    for name in ("a/b", "c/d", "e"):
        registry.repository(name)
    registry.habits.page_size = 2
    first = await client.repositories_page()
    second = await client.repositories_page(first.cursor)
    assert [*first.items, *second.items] == ["a/b", "c/d", "e"]


async def test_a_registry_without_a_catalog_says_what_to_do(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.habits.catalog = False
    with pytest.raises(Unsupported, match="name the repositories"):
        await client.repositories_page()


@pytest.mark.parametrize("body", [b"[]", b"nonsense", b'{"tags": 5}', b""])
async def test_a_listing_that_is_none_is_refused(
    registry: FakeRegistry, repository: RemoteRepository, body: bytes
) -> None:
    registry.faults.add(Fault(method="GET", kind="tags", status=200, body=body))
    with pytest.raises(Rejected, match="cannot be used"):
        await listed(repository)


async def test_a_sign_in_page_is_no_registry(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.habits.html_everywhere = True
    with pytest.raises(Rejected, match="is this a registry"):
        await client.ping()


async def test_a_page_without_end_is_said(registry: FakeRegistry, client: RegistryClient) -> None:
    endless = b'{"tags": ["' + b"a" * 17_000_000
    registry.faults.add(Fault(method="GET", kind="tags", replace_body=endless))
    registry.repository("a/b").put_image("1.0")
    with pytest.raises(Rejected, match="one page is larger than"):
        await client.tags_page("a/b")
