"""Which bytes a `Range` header asks for (RFC 9110, 14.1.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_RANGE: Final = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteRange:
    """A stretch of a blob; `is_part`: it was asked for as one."""

    offset_bytes: int
    length_bytes: int
    is_part: bool


def of(header: str | None, size_bytes: int) -> ByteRange | None:
    """Return what to send: everything where the header is absent or none of ours; None: nothing is.

    Several ranges at once are answered with everything, which a server may; one that ends before it
    begins is refused, which the conformance suites want.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match[0] == "bytes=-":
        return ByteRange(offset_bytes=0, length_bytes=size_bytes, is_part=False)
    if match[1]:
        start = int(match[1])
        end = min(int(match[2]) + 1, size_bytes) if match[2] else size_bytes
    else:
        start, end = max(size_bytes - int(match[2]), 0), size_bytes
    if start >= end:
        return None
    return ByteRange(offset_bytes=start, length_bytes=end - start, is_part=True)
