"""What the handlers of the fake share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.fakes.registry.content import Repository
from tests.fakes.registry.faults import Habits


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """What a request is about; `target` is a reference, digest or upload id."""

    kind: str
    repository: str = ""
    target: str = ""
    scope: frozenset[str] = frozenset()


@dataclass(slots=True)
class Upload:
    """An upload session."""

    repository: str
    received: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class State:
    """Everything the fake remembers."""

    habits: Habits
    base_url: str = ""
    storage_url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    storage_uses: Counter[str] = field(default_factory=Counter)

    def repository(self, name: str) -> Repository:
        """Give a repository; make it if it is not there."""
        if name not in self.repositories:
            self.repositories[name] = Repository(name)
        return self.repositories[name]
