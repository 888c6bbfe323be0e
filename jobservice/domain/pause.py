"""A pause: what an operator holds back, and since when."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from typing_extensions import override

COMMENT_LIMIT = 1000
ID = re.compile(r"[0-9]{1,18}")


class PauseScope(StrEnum):
    """How much a pause holds back. `schedules` start nothing; `everything` includes them."""

    JOB_TYPE = "job_type"
    POLICY = "policy"
    DESTINATION = "destination"
    SCHEDULES = "schedules"
    EVERYTHING = "everything"

    @property
    def has_key(self) -> bool:
        """Whether a pause of this scope names one of several."""
        return self not in {PauseScope.SCHEDULES, PauseScope.EVERYTHING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is held back; `key` is a job type or an id, empty where the scope has none."""

    scope: PauseScope
    key: str = ""

    @override
    def __str__(self) -> str:
        """Name it in a sentence."""
        name = self.scope.value.replace("_", " ")
        return f"{name} {self.key}" if self.key else name


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """One row. `name` is what people call a policy or a registry."""

    held: Held
    paused_by: str
    paused_at: datetime
    comment: str = ""
    name: str = ""

    @property
    def what(self) -> str:
        """Name what is held back in a sentence."""
        return str(Held(scope=self.held.scope, key=self.name or self.held.key))


def problems(held: Held, comment: str) -> Iterator[str]:
    """Yield what is wrong with a wish to pause."""
    if held.scope.has_key and not held.key:
        yield f"key: is missing; say which {held.scope.value.replace('_', ' ')}"
    if not held.scope.has_key and held.key:
        yield f"key: {held.scope.value} takes none"
    is_number = held.scope in {PauseScope.POLICY, PauseScope.DESTINATION}
    if is_number and held.key and not ID.fullmatch(held.key):
        yield f"key: {held.key!r} is no id of a {held.scope.value}"
    if len(comment) > COMMENT_LIMIT:
        yield f"comment: has {len(comment)} characters, {COMMENT_LIMIT} are allowed"
