"""Pauses as operators make and lift them."""

from __future__ import annotations

import pytest

from database.pool import Database
from jobservice import pauses
from jobservice.domain.endpoint import EndpointSettings
from jobservice.domain.pause import Held, PauseScope
from jobservice.errors import InvalidRequest, NotFound
from jobservice.store import endpoints
from jobservice.store import pauses as pauses_store

COPY = Held(scope=PauseScope.JOB_TYPE, key="copy")
SCHEDULES = Held(scope=PauseScope.SCHEDULES)
EVERYTHING = Held(scope=PauseScope.EVERYTHING)


async def test_who_paused_first_stands(database: Database) -> None:
    assert await pauses.pause(database, COPY, by="ann", comment="the disk is full")
    assert not await pauses.pause(database, COPY, by="bob", comment="me too")
    (found,) = await pauses.page(database)
    assert (found.held, found.paused_by, found.comment) == (COPY, "ann", "the disk is full")


async def test_what_is_resumed_is_paused_no_longer(database: Database) -> None:
    await pauses.pause(database, COPY, by="ann")
    assert await pauses.resume(database, COPY)
    assert await pauses.page(database) == ()
    assert not await pauses.resume(database, COPY)


@pytest.mark.parametrize("held", [SCHEDULES, EVERYTHING])
async def test_schedules_are_held_back_by_their_own_pause_and_by_that_of_everything(
    database: Database, held: Held
) -> None:
    await pauses.pause(database, COPY, by="ann")
    async with database.connection() as connection:
        assert await pauses_store.of_schedules(connection) is None
    await pauses.pause(database, held, by="bob", comment="holidays")
    async with database.connection() as connection:
        found = await pauses_store.of_schedules(connection)
    assert found is not None
    assert (found.held, found.paused_by, found.comment) == (held, "bob", "holidays")


@pytest.mark.parametrize("scope", [PauseScope.POLICY, PauseScope.DESTINATION])
async def test_what_is_not_there_cannot_be_paused(database: Database, scope: PauseScope) -> None:
    with pytest.raises(NotFound):
        await pauses.pause(database, Held(scope=scope, key="4711"), by="ann")


async def test_this_registry_can_be_paused_as_a_destination(database: Database) -> None:
    held = Held(scope=PauseScope.DESTINATION, key="0")
    assert await pauses.pause(database, held, by="ann")
    (found,) = await pauses.page(database)
    assert found.what == "destination Local"


async def test_a_paused_registry_is_told_by_its_name(database: Database) -> None:
    async with database.transaction() as connection:
        endpoint_id = await endpoints.next_id(connection)
        settings = EndpointSettings(name="hub", kind="docker-registry", url="https://hub.example")
        await endpoints.insert(connection, endpoint_id, settings, None)
    held = Held(scope=PauseScope.DESTINATION, key=str(endpoint_id))
    await pauses.pause(database, held, by="ann")
    (found,) = await pauses.page(database)
    assert (found.held, found.name, found.what) == (held, "hub", "destination hub")


async def test_a_pause_without_its_key_is_refused(database: Database) -> None:
    with pytest.raises(InvalidRequest, match="say which policy"):
        await pauses.pause(database, Held(scope=PauseScope.POLICY), by="ann")
    with pytest.raises(InvalidRequest, match="takes none"):
        await pauses.resume(database, Held(scope=PauseScope.EVERYTHING, key="x"))
