from __future__ import annotations

from typing import Any

import pytest

from access import audit
from access.audit import Actor, Entry, Event, Purge
from access.identity import Principal
from database.pool import Database

EVE = Actor(principal=Principal(user_id=None, username="eve", is_sysadmin=True), address="10.0.0.7")


async def rows(database: Database) -> list[Any]:
    async with database.connection() as connection:
        return list(await connection.fetch("SELECT * FROM access.audit_log ORDER BY id"))


async def test_an_entry_says_who_and_from_where(database: Database) -> None:
    async with database.transaction() as connection:
        with audit.acting(EVE):
            await audit.record(connection, Entry(event=Event.STOP_EXECUTION, resource="7"))
        await audit.record(connection, Entry(event=Event.START_PURGE, resource="8"))
    hers, ours = await rows(database)
    assert (hers["username"], hers["address"]) == ("eve", "10.0.0.7")
    assert (hers["operation"], hers["resource_type"]) == ("stop", "execution")
    assert hers["successful"]
    assert (ours["username"], ours["address"]) == ("transship", "")


async def test_an_entry_goes_with_its_transaction(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as connection:
            await audit.record(connection, Entry(event=Event.CREATE_POLICY, resource="x"))
            raise RuntimeError("it did not come to pass")

    with pytest.raises(RuntimeError):
        await fail()
    assert await rows(database) == []


async def test_text_from_outside_is_stored_safe_and_short(database: Database) -> None:
    entry = Entry(event=Event.CREATE_POLICY, resource="a\x1b[2J\nb\x00" + "c" * 10_000_000)
    async with database.connection() as connection:
        await audit.record(connection, entry)
    (row,) = await rows(database)
    assert row["resource"].startswith("a [2J b c")
    assert len(row["resource"]) == audit.RESOURCE_LIMIT + 1


async def test_a_purge_takes_what_is_old_and_named(database: Database) -> None:
    async with database.connection() as connection:
        for event in (Event.CREATE_POLICY, Event.DELETE_POLICY, Event.STOP_EXECUTION):
            await audit.record(connection, Entry(event=event, resource="x"))
        await connection.execute(
            "UPDATE access.audit_log SET occurred_at = now() - interval '3 hours'"
        )
        await audit.record(connection, Entry(event=Event.CREATE_POLICY, resource="young"))
        wanted = Purge(retention_hours=2, events=["create_policy", "stop"], dry_run=True)
        tried = await audit.purge(connection, wanted, after=0, limit=10)
        assert (tried.count, len(await rows(database))) == (2, 4)
        wanted = Purge(retention_hours=2, events=["create_policy", "stop"])
        first = await audit.purge(connection, wanted, after=0, limit=1)
        assert first.count == 1
        second = await audit.purge(connection, wanted, after=first.last_id or 0, limit=10)
        assert second.count == 1
        nothing = await audit.purge(connection, wanted, after=second.last_id or 0, limit=10)
        assert nothing.last_id is None
    left = [(row["operation"], row["resource"]) for row in await rows(database)]
    assert left == [("delete", "x"), ("create", "young")]
