"""Finding out who asks."""

from __future__ import annotations

import asyncio
import hmac
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from access import users
from access.errors import InvalidCredentials
from access.identity import Principal
from access.passwords import PasswordHashing
from database.errors import DatabaseUnavailable
from database.pool import Database

# How long a verified password is believed without hashing it again, and so how long a changed
# password lives on in other processes.
CACHE_SECONDS: Final = 20.0
_CACHE_SIZE: Final = 1024


class Authenticator:
    """Turns credentials into principals; one per process."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._hashing = PasswordHashing()
        self._secret = os.urandom(32)
        self._verified: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()
        self._locks: dict[bytes, asyncio.Lock] = {}

    async def basic(
        self, username: str, password: str, *, patience_seconds: float | None = None
    ) -> Principal:
        """Return who has this name and password; raise InvalidCredentials.

        A right pair is remembered for CACHE_SECONDS under a keyed hash; wrong ones never are. With
        `patience_seconds` Postgres has so long to answer; raise DatabaseUnavailable.
        """
        key = self._key(username, password)
        known = self._remembered(key)
        if known is not None:
            return known
        if patience_seconds is not None:  # not behind others, who may be more patient
            return await self._verify(key, username, password, patience_seconds)
        lock = self._locks.setdefault(key, asyncio.Lock())
        try:
            async with lock:  # many requests with one password hash it once
                return self._remembered(key) or await self._verify(key, username, password)
        finally:
            self._locks.pop(key, None)

    async def _verify(
        self, key: bytes, username: str, password: str, patience_seconds: float | None = None
    ) -> Principal:
        try:
            async with (
                asyncio.timeout(patience_seconds),
                self._database.connection() as connection,
            ):
                user = await users.find(connection, username)
        except TimeoutError as error:
            raise DatabaseUnavailable("Postgres did not say who asks") from error
        stored = user.password_hash if user else None
        if not await self._hashing.verify(stored, password) or user is None:
            raise InvalidCredentials("the user name or the password is wrong")
        self._verified[key] = (self._clock() + CACHE_SECONDS, user.principal)
        while len(self._verified) > _CACHE_SIZE:
            self._verified.popitem(last=False)
        return user.principal

    def _remembered(self, key: bytes) -> Principal | None:
        until, principal = self._verified.get(key, (0.0, None))
        if principal is not None and self._clock() >= until:
            del self._verified[key]
            return None
        return principal

    def _key(self, username: str, password: str) -> bytes:
        text = f"{len(username)}:{username}:{password}"
        return hmac.digest(self._secret, text.encode(), "sha256")
