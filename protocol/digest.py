"""Content digests: `sha256:…` and `sha512:…` (image-spec, descriptor.md#digests)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from typing_extensions import override

from protocol.errors import DigestMismatch, InvalidDigest


class Algorithm(StrEnum):
    """The registered algorithms that Transship verifies."""

    SHA256 = "sha256"
    SHA512 = "sha512"


_ENCODED = {
    Algorithm.SHA256: re.compile(r"[a-f0-9]{64}"),
    Algorithm.SHA512: re.compile(r"[a-f0-9]{128}"),
}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Digest:
    """The identity of some bytes; `str()` gives the wire form."""

    algorithm: Algorithm
    encoded: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the digest written in `text`; raise InvalidDigest with the reason."""
        name, colon, encoded = text.partition(":")
        if not colon:
            raise InvalidDigest(f"{text[:80]!r} is no digest: expected algorithm:hex")
        try:
            algorithm = Algorithm(name)
        except ValueError:
            raise InvalidDigest(
                f"digest algorithm {name[:40]!r} is not supported; known are sha256 and sha512"
            ) from None
        if not _ENCODED[algorithm].fullmatch(encoded):
            raise InvalidDigest(
                f"{text[:160]!r} is no {algorithm} digest: wrong length or not lower-case hex"
            )
        return cls(algorithm=algorithm, encoded=encoded)

    @classmethod
    def of(cls, content: bytes, algorithm: Algorithm = Algorithm.SHA256) -> Self:
        """Return the digest of bytes in memory."""
        encoded = hashlib.new(algorithm, content).hexdigest()
        return cls(algorithm=algorithm, encoded=encoded)

    def verify(self, content: bytes) -> None:
        """Raise DigestMismatch unless `content` has this digest."""
        actual = Digest.of(content, self.algorithm)
        if actual != self:
            raise DigestMismatch(expected=str(self), actual=str(actual))

    @override
    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"


def is_digest(reference: str) -> bool:
    """Say whether a manifest reference is a digest: a tag never holds a colon."""
    return ":" in reference
