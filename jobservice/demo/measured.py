"""What a step of the demo came to, and the table of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One step. `bytes_saved` is what copying everything anew would have moved beside them."""

    artifacts: int
    bytes_copied: int
    bytes_saved: int
    requests: int
    seconds: float

    @classmethod
    def of(
        cls, execution: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]], *, seconds: float
    ) -> Self:
        """Read what the API says of an execution that ended."""
        told = execution["transship"]
        return cls(
            artifacts=len(tasks),
            bytes_copied=told["bytes_copied"],
            bytes_saved=told["bytes_saved"],
            requests=told["requests"],
            seconds=seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A row of the table."""

    name: str
    measured: Measured
