"""The tables of endpoints and policies on a real Postgres."""

from __future__ import annotations

import pytest

from database.pool import Database
from jobservice.domain.endpoint import CredentialType, EndpointSettings
from jobservice.domain.listing import AnyOf, Between, Contains, Equals, Listing, Order
from jobservice.domain.policy import PolicySettings
from jobservice.errors import NameTaken
from jobservice.store import endpoints, policies
from replication.policy import Filter, FilterKind, ReplicationPolicy


async def add_endpoint(database: Database, name: str) -> int:
    async with database.transaction() as connection:
        endpoint_id = await endpoints.next_id(connection)
        settings = EndpointSettings(
            name=name,
            kind="docker-registry",
            url="https://r.example",
            credential_type=CredentialType.BASIC,
            access_key="k",
            description="50% of it",
        )
        await endpoints.insert(connection, endpoint_id, settings, b"sealed")
    return endpoint_id


async def test_an_endpoint_comes_back_as_it_was_given(database: Database) -> None:
    endpoint_id = await add_endpoint(database, "one")
    async with database.connection() as connection:
        found = await endpoints.get(connection, endpoint_id)
    assert endpoint_id == 1
    assert found is not None
    assert found.settings.name == "one"
    assert found.settings.credential_type is CredentialType.BASIC
    assert found.access_secret_sealed == b"sealed"
    assert "sealed" not in repr(found).replace("access_secret_sealed", "")


async def test_two_endpoints_have_two_names(database: Database) -> None:
    await add_endpoint(database, "one")
    with pytest.raises(NameTaken):
        await add_endpoint(database, "one")


@pytest.mark.parametrize(
    ("listing", "names"),
    [
        (Listing(), ["a_1", "b%2", "c"]),
        (Listing(order=(Order(field="name", descending=True),)), ["c", "b%2", "a_1"]),
        (Listing(conditions=(Contains(field="name", text="%"),)), ["b%2"]),
        (Listing(conditions=(Contains(field="name", text="_"),)), ["a_1"]),
        (Listing(conditions=(Equals(field="name", value="c"),)), ["c"]),
        (Listing(conditions=(AnyOf(field="id", values=(1, 3)),)), ["a_1", "c"]),
        (Listing(conditions=(Between(field="id", low=2),)), ["b%2", "c"]),
        (Listing(conditions=(Between(field="id", low=1, high=2),)), ["a_1", "b%2"]),
        (Listing(conditions=(Between(field="id"),)), ["a_1", "b%2", "c"]),
    ],
)
async def test_lists_are_filtered_and_sorted(
    database: Database, listing: Listing, names: list[str]
) -> None:
    for name in ("a_1", "b%2", "c"):
        await add_endpoint(database, name)
    async with database.connection() as connection:
        found = await endpoints.page(connection, listing)
    assert [e.settings.name for e in found.items] == names
    assert found.total == len(names)


async def test_a_page_beyond_the_end_still_has_the_total(database: Database) -> None:
    await add_endpoint(database, "one")
    async with database.connection() as connection:
        found = await endpoints.page(connection, Listing(page=7))
    assert found.items == ()
    assert found.total == 1


async def test_a_policy_comes_back_as_it_was_given(database: Database) -> None:
    settings = PolicySettings(
        name="p",
        source_endpoint_id=await add_endpoint(database, "one"),
        enabled=False,
        rules=ReplicationPolicy(
            filters=(Filter(kind=FilterKind.NAME, pattern="library/**"),),
            flattening=1,
            override=False,
            referrers=False,
            speed_kilobits=7,
        ),
    )
    async with database.transaction() as connection:
        policy_id = await policies.insert(connection, settings)
        found = await policies.get_locked(connection, policy_id)
        assert await endpoints.policies_using(connection, 1) == ("p",)
    assert found is not None
    assert found.settings == settings
