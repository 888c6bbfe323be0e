"""What was found out about a registry's abilities, for a while: servers get upgraded."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

LIFE_SECONDS = 300


class Ability(StrEnum):
    """What registries differ in."""

    REFERRERS = "referrers"
    FALLBACK_TAGS = "fallback tags"
    MOUNT = "mount"
    WHOLE_UPLOAD = "whole upload"


@dataclass(slots=True)
class Memory:
    """Answers by ability and repository (empty: the whole registry)."""

    clock: Callable[[], float] = time.monotonic
    _known: dict[tuple[Ability, str], tuple[bool, float]] = field(default_factory=dict)

    def recall(self, ability: Ability, repository: str = "") -> bool | None:
        """Return what is known; None if nothing is, or not any more."""
        answer = self._known.get((ability, repository))
        if answer is None or answer[1] < self.clock():
            return None
        return answer[0]

    def note(self, ability: Ability, repository: str = "", *, answer: bool) -> None:
        """Remember an answer for `LIFE_SECONDS`."""
        self._known[ability, repository] = (answer, self.clock() + LIFE_SECONDS)
