"""A rule, whichever form it was written in: what it selects, and what it does with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from registry.retention.artifact import Type
from registry.retention.condition import Condition
from registry.retention.criterion import Criterion
from registry.retention.name_selector import NameSelector


class Action(StrEnum):
    """What a rule does."""

    KEEP = "keep"
    DELETE = "delete"


class TagState(StrEnum):
    """Which artifacts a rule of our own is about."""

    TAGGED = "tagged"
    UNTAGGED = "untagged"
    ANY = "any"


ALL_TYPES: Final = frozenset(Type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. All selectors must take an artifact, and all conditions.

    Then its criteria single out what it keeps.

    `name` is how reports call it. Without a `tag_state` the selectors say whether they take what
    has no tag. A `harbor` rule makes everything in the repositories that it selects go, unless a
    rule keeps it. `said` is the rule as it was written.
    """

    name: str
    action: Action
    harbor: bool
    disabled: bool
    repositories: tuple[NameSelector, ...]
    tags: tuple[NameSelector, ...]
    tag_state: TagState | None
    types: frozenset[Type]
    conditions: tuple[Condition, ...]
    criteria: tuple[Criterion, ...]
    override_immutable: bool
    said: Mapping[str, Any]

    def applies_to(self, repository: str) -> bool:
        """Say whether it is in force there; the repository is named within its project."""
        return not self.disabled and all(one.takes(repository) for one in self.repositories)
