"""Where a bucket is, and the way to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

TRIES: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a bucket is and how it is reached; without keys botocore's own chain finds them."""

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    path_style: bool = False
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    proxy: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    tries: int = TRIES
