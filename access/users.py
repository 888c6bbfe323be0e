"""Users and their passwords."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from access.errors import InvalidUsername
from access.identity import Principal
from access.passwords import PasswordHashing
from database.pool import Connection, Database

ADMIN = "admin"
_USERNAME = re.compile(r"[^:\x00-\x1f\x7f]{1,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person who signs in with a password."""

    id: int
    username: str
    is_sysadmin: bool
    password_hash: str = field(repr=False)

    @property
    def principal(self) -> Principal:
        """The user as somebody who asks."""
        return Principal(user_id=self.id, username=self.username, is_sysadmin=self.is_sysadmin)


FIND = """
SELECT id, username, is_sysadmin, password_hash FROM access.users WHERE lower(username) = lower($1)
"""


async def find(connection: Connection, username: str) -> User | None:
    """Return the user of that name, whatever its case; None if there is none."""
    row = await connection.fetchrow(FIND, username)
    return User(**row) if row else None


CREATE = """
INSERT INTO access.users (username, password_hash, is_sysadmin) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING RETURNING id
"""
ADOPT_LIBRARY = (
    "UPDATE access.projects SET owner_id = $1 WHERE name = 'library' AND owner_id IS NULL"
)


async def is_empty(database: Database) -> bool:
    """Tell whether nobody at all can log in yet."""
    async with database.connection() as connection:
        return not await connection.fetchval("SELECT EXISTS (SELECT FROM access.users)")


async def ensure_admin(database: Database, password: str) -> bool:
    """Create the first sysadmin, `admin`; say whether it was created. Never changes a password."""
    async with database.connection() as connection:
        if await find(connection, ADMIN) is not None:
            return False
    password_hash = await PasswordHashing().hash(password)
    async with database.transaction() as connection:
        user_id = await connection.fetchval(CREATE, ADMIN, password_hash, True)  # noqa: FBT003 SQL arguments have no names
        if user_id is not None:
            await connection.execute(ADOPT_LIBRARY, user_id)
    return user_id is not None


async def create(
    database: Database, *, username: str, password: str, is_sysadmin: bool = False
) -> bool:
    """Create a user; say whether it was created. Raise InvalidUsername or InvalidPassword."""
    if not _USERNAME.fullmatch(username):
        raise InvalidUsername(
            f"{username[:80]!r} is no user name: "
            "1 to 255 characters, no colon and no control character"
        )
    password_hash = await PasswordHashing().hash(password)
    async with database.connection() as connection:
        user_id = await connection.fetchval(CREATE, username, password_hash, is_sysadmin)
    return user_id is not None


REPLACE_HASH = """
UPDATE access.users SET password_hash = $2, updated_at = now() WHERE id = $1
"""


async def set_password(database: Database, user_id: int, password: str) -> None:
    """Replace a password; other processes may accept the old one for a few seconds more."""
    password_hash = await PasswordHashing().hash(password)
    async with database.connection() as connection:
        await connection.execute(REPLACE_HASH, user_id, password_hash)
