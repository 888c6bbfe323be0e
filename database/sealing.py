"""Secrets at rest: AES-256-GCM with a key prefix, so that several keys can be in use at once.

A sealed value is `version (1) | key id (4) | nonce (12) | ciphertext and tag`. The context, usually
`table.column:id`, is authenticated with it: a value copied to another row does not open.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from database.errors import BrokenSeal, InvalidKey, WrongKey
from database.pool import Connection

KEY_BYTES = 32
_VERSION = b"\x01"
_KEY_ID_BYTES = 4
_NONCE_BYTES = 12
_HEADER_BYTES = 1 + _KEY_ID_BYTES + _NONCE_BYTES

_CANARY_CONTEXT = "database.canary"
_CANARY = b"transship"


def generate_key() -> str:
    """Return a new random key in the form that settings take: base64 of 32 bytes."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


class Keyring:
    """One or more keys: the first seals, all of them open."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Take keys as `generate_key` writes them; raise InvalidKey."""
        if not keys:
            raise InvalidKey("no secret key was given; set TRANSSHIP_SECRET_KEY")
        raw = [_decode(key) for key in keys]
        self._ciphers = {_key_id(key): AESGCM(key) for key in reversed(raw)}
        self._sealing_id = _key_id(raw[0])

    def seal(self, plaintext: bytes, *, context: str) -> bytes:
        """Return `plaintext` encrypted with the first key, bound to `context`."""
        nonce = os.urandom(_NONCE_BYTES)
        header = _VERSION + self._sealing_id + nonce
        cipher = self._ciphers[self._sealing_id]
        return header + cipher.encrypt(nonce, plaintext, context.encode())

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Return what was sealed; raise WrongKey or BrokenSeal."""
        if len(sealed) < _HEADER_BYTES or sealed[:1] != _VERSION:
            raise BrokenSeal(f"the secret of {context} is not a sealed value")
        cipher = self._ciphers.get(sealed[1 : 1 + _KEY_ID_BYTES])
        if cipher is None:
            raise WrongKey(
                f"the secret of {context} was sealed with a key that is not at hand; "
                "add that key to TRANSSHIP_SECRET_KEY"
            )
        nonce = sealed[1 + _KEY_ID_BYTES : _HEADER_BYTES]
        try:
            return cipher.decrypt(nonce, sealed[_HEADER_BYTES:], context.encode())
        except InvalidTag:
            raise BrokenSeal(
                f"the secret of {context} was altered or moved from another row"
            ) from None

    def is_sealed_by_first(self, sealed: bytes) -> bool:
        """Say whether rotation is over for this value."""
        return sealed[1 : 1 + _KEY_ID_BYTES] == self._sealing_id


def _decode(text: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise InvalidKey(
            f"TRANSSHIP_SECRET_KEY must be base64 of {KEY_BYTES} bytes; "
            "`openssl rand -base64 32` makes one"
        )
    return key


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"transship key id" + key).digest()[:_KEY_ID_BYTES]


INSERT_CANARY = """
INSERT INTO database.canary (sealed) VALUES ($1) ON CONFLICT DO NOTHING
"""
SELECT_CANARY = "SELECT sealed FROM database.canary"


async def check_canary(connection: Connection, keyring: Keyring) -> None:
    """Seal a canary on the first start; raise WrongKey when the keys do not open it later."""
    sealed = await connection.fetchval(SELECT_CANARY)
    if sealed is None:
        fresh = keyring.seal(_CANARY, context=_CANARY_CONTEXT)
        await connection.execute(INSERT_CANARY, fresh)
        sealed = await connection.fetchval(SELECT_CANARY)
    try:
        keyring.open(sealed, context=_CANARY_CONTEXT)
    except (WrongKey, BrokenSeal):
        raise WrongKey(
            "TRANSSHIP_SECRET_KEY is not the key that this database's secrets were sealed with; "
            "start with the key that was used before"
        ) from None


RENEW_CANARY = "UPDATE database.canary SET sealed = $1"


async def renew_canary(connection: Connection, keyring: Keyring) -> None:
    """Seal the canary with the first key."""
    await connection.execute(RENEW_CANARY, keyring.seal(_CANARY, context=_CANARY_CONTEXT))
