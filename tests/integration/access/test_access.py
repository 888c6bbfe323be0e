from __future__ import annotations

import pytest

from access import projects, users
from access.authentication import CACHE_SECONDS, Authenticator
from access.errors import (
    InvalidCredentials,
    InvalidPassword,
    ProjectExists,
    ProjectNotEmpty,
    ProjectNotFound,
)
from database.pool import Database


async def test_admin_is_created_once_and_keeps_its_password(database: Database) -> None:
    assert await users.ensure_admin(database, "first")
    assert not await users.ensure_admin(database, "second")
    authenticator = Authenticator(database)
    admin = await authenticator.basic("admin", "first")
    assert admin.is_sysadmin
    with pytest.raises(InvalidCredentials):
        await authenticator.basic("admin", "second")
    async with database.connection() as connection:
        library = await projects.get(connection, "library")
    assert library.public
    assert library.owner_name == "admin"


async def test_unknown_users_and_wrong_passwords_look_the_same(database: Database) -> None:
    await users.create(database, username="eve", password="apple")
    authenticator = Authenticator(database)
    messages = set()
    for username, password in [("eve", "pear"), ("adam", "apple"), ("eve", "x" * 5000)]:
        with pytest.raises(InvalidCredentials) as caught:
            await authenticator.basic(username, password)
        messages.add(str(caught.value))
    assert len(messages) == 1


async def test_a_changed_password_is_noticed_when_the_cache_runs_out(database: Database) -> None:
    now = 0.0
    await users.create(database, username="eve", password="apple")
    authenticator = Authenticator(database, clock=lambda: now)
    eve = await authenticator.basic("eve", "apple")
    assert eve.user_id is not None
    await users.set_password(database, eve.user_id, "pear")
    assert await authenticator.basic("eve", "apple") == eve
    now = CACHE_SECONDS
    with pytest.raises(InvalidCredentials):
        await authenticator.basic("eve", "apple")
    assert await authenticator.basic("eve", "pear") == eve


async def test_an_empty_password_is_refused(database: Database) -> None:
    with pytest.raises(InvalidPassword):
        await users.create(database, username="eve", password="")


async def test_projects_are_created_found_changed_and_deleted(database: Database) -> None:
    async with database.connection() as connection:
        team = await projects.create(connection, name="team", public=False)
        with pytest.raises(ProjectExists):
            await projects.create(connection, name="team", public=True)
        assert await projects.get(connection, "team") == team
        await projects.set_public(connection, team.id, public=True)
        assert (await projects.get(connection, team.id)).public
        await projects.delete(connection, team)
        with pytest.raises(ProjectNotFound):
            await projects.get(connection, "team")


async def test_a_project_with_repositories_stays(database: Database) -> None:
    async with database.connection() as connection:
        library = await projects.get(connection, "library")
        await connection.execute(
            "INSERT INTO registry.repositories (project_id, name) VALUES ($1, 'library/x')",
            library.id,
        )
        with pytest.raises(ProjectNotEmpty):
            await projects.delete(connection, library)
