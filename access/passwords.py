"""Passwords as argon2id hashes; hashing runs in threads, a few at a time to bound memory."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Final

import argon2

from access.errors import InvalidPassword

_MEMORY_KIB: Final = 19 * 1024  # OWASP's minimum for argon2id, with two passes and one lane
_PARALLEL: Final = 2
_LIMIT_BYTES: Final = 1024

_hasher: Final = argon2.PasswordHasher(time_cost=2, memory_cost=_MEMORY_KIB, parallelism=1)


@cache
def _nobody() -> str:
    """Return what is verified for users who do not exist, so that they take as long as others."""
    return _hasher.hash("nobody has this password")


class PasswordHashing:
    """Hashes and verifies; one per process, so that its bound holds."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(_PARALLEL)

    async def hash(self, password: str) -> str:
        """Return the hash to store; raise InvalidPassword."""
        if not password or len(password.encode()) > _LIMIT_BYTES:
            raise InvalidPassword(f"a password has between 1 and {_LIMIT_BYTES} bytes")
        async with self._slots:
            return await asyncio.to_thread(_hasher.hash, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Compare; None (no such user) costs the same and is never right."""
        if len(password.encode()) > _LIMIT_BYTES:
            return False
        async with self._slots:
            matches = await asyncio.to_thread(_matches, stored, password)
        return matches and stored is not None


def _matches(stored: str | None, password: str) -> bool:
    try:
        return _hasher.verify(stored or _nobody(), password)
    except argon2.exceptions.VerifyMismatchError:
        return False
