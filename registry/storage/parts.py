"""The parts of an S3 multipart upload: how large they are, and what a node needs to go on.

S3 takes at most 10,000 parts, each but the last of at least 5 MiB
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Self

import orjson

MEBIBYTE: Final = 1024 * 1024
SMALLEST_BYTES: Final = 5 * MEBIBYTE
FIRST_BYTES: Final = 8 * MEBIBYTE
MOST: Final = 10_000
_DOUBLED_EVERY: Final = 1000


def wanted_bytes(number: int) -> int:
    """Return how large part `number`, from 1, should be: all of them together hold 8 TiB."""
    return FIRST_BYTES << ((number - 1) // _DOUBLED_EVERY)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A partial object: the parts that S3 has, and the bytes that are too few for one."""

    multipart: str = ""
    etags: tuple[str, ...] = ()
    sent_bytes: int = 0
    tail: bytes = field(default=b"", repr=False)

    @property
    def size_bytes(self) -> int:
        """How many bytes it has."""
        return self.sent_bytes + len(self.tail)

    def to_bytes(self) -> bytes:
        """Write it down."""
        head = {"multipart": self.multipart, "etags": self.etags, "sent_bytes": self.sent_bytes}
        return orjson.dumps(head) + b"\n" + self.tail

    @classmethod
    def from_bytes(cls, written: bytes) -> Self:
        """Read what `to_bytes` wrote."""
        head, _, tail = written.partition(b"\n")
        facts: dict[str, Any] = orjson.loads(head)
        return cls(
            multipart=facts["multipart"],
            etags=tuple(facts["etags"]),
            sent_bytes=facts["sent_bytes"],
            tail=tail,
        )
