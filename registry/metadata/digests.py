"""Digests as the schema keeps them: one byte for the algorithm, then the raw hash."""

from __future__ import annotations

from typing import Final

from protocol.digest import Algorithm, Digest

_CODES: Final = {Algorithm.SHA256: b"\x01", Algorithm.SHA512: b"\x02"}
_ALGORITHMS: Final = {code[0]: algorithm for algorithm, code in _CODES.items()}
_PREFIXES: Final = {code: f"{algorithm}:" for code, algorithm in _ALGORITHMS.items()}


def encode(digest: Digest) -> bytes:
    """Return the stored form."""
    return _CODES[digest.algorithm] + bytes.fromhex(digest.encoded)


def decode(stored: bytes) -> Digest:
    """Read what `encode` wrote."""
    return Digest(algorithm=_ALGORITHMS[stored[0]], encoded=stored[1:].hex())


def text(stored: bytes) -> str:
    """Return the digest's text."""
    return _PREFIXES[stored[0]] + stored[1:].hex()
