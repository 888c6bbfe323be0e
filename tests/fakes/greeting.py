"""A job type as somebody would add one: this file, and a line in a catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from jobservice.domain.retrying import RetryRule
from jobservice.jobs.base import Answer, Run, Succeeded
from jobservice.jobs.typed import TypedJobType


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Whom to greet how often."""

    whom: str
    times: int = 1


class Greeting(TypedJobType[Parameters]):
    """Greets; nobody is greeted by two tasks at a time."""

    name: ClassVar[str] = "greeting"
    queue: ClassVar[str] = "transfer"
    retry: ClassVar[RetryRule] = RetryRule(attempts=1)
    timeout_seconds: ClassVar[float] = 60.0
    parameters: ClassVar[type[Parameters]] = Parameters

    @override
    @classmethod
    def unique_key(cls, parameters: Parameters) -> str:
        return parameters.whom

    @override
    async def perform(self, run: Run, parameters: Parameters) -> Answer:
        return Succeeded(result={"said": f"hello {parameters.whom}, " * parameters.times})
