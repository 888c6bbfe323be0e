"""What a criterion says of one unit."""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """`OPEN` depends on others that have not passed; `APART` is what it cannot be asked about."""

    HOLDS = "holds"
    FAILS = "fails"
    OPEN = "open"
    APART = "apart"
