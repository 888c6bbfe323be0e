"""Immutable tags: once there they lead to the same manifest for ever, until their rule goes.

A rule takes a tag by its repository and its name. Companion tags (cosign's signatures, the indexes
that stand in for the referrers API) are written again with every signature and go with what they
accompany: they are taken only by a rule whose pattern begins as they do (`sha256-…`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from protocol import referrers
from protocol.digest import Digest
from registry.errors import ImmutableTag
from registry.selecting import Selector

_COMPANIONS: Final = ("sha256-", "sha512-")
_REMEDY: Final = "or have the rule changed (`transship project immutable`)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImmutableRule:
    """One rule of a project. A disabled one takes nothing; `priority` is Harbor's and only kept."""

    id: int
    repository: Selector
    tag: Selector
    disabled: bool = False
    priority: int = 0

    def covers(self, repository: str) -> bool:
        """Say whether it is in force in a repository, which is named with its project."""
        return not self.disabled and self.repository.takes(repository.partition("/")[2])

    def takes(self, tag: str) -> bool:
        """Say whether it makes a tag immutable where it is in force."""
        if referrers.is_companion_tag(tag) and not self._names_companions:
            return False
        return self.tag.takes(tag)

    @property
    def _names_companions(self) -> bool:
        return self.tag.is_matching and self.tag.pattern.startswith(_COMPANIONS)

    @override
    def __str__(self) -> str:
        """Say what it takes."""
        tags = f"tags {_described(self.tag)}"
        return f"{tags} in repositories {_described(self.repository)}"


def _described(selector: Selector) -> str:
    return f"{'matching' if selector.is_matching else 'not matching'} {selector.pattern}"


def in_force(rules: Iterable[ImmutableRule], repository: str) -> Sequence[ImmutableRule]:
    """Return the rules that are in force in a repository, which is named with its project."""
    return [rule for rule in rules if rule.covers(repository)]


def taken(
    rules: Sequence[ImmutableRule], repository: str, tags: Iterable[str]
) -> Mapping[str, ImmutableRule]:
    """Return which of the tags are immutable, each with the first rule that says so."""
    covering = in_force(rules, repository)
    found = {tag: next((rule for rule in covering if rule.takes(tag)), None) for tag in tags}
    return {tag: rule for tag, rule in found.items() if rule is not None}


def not_moved(repository: str, tags: Mapping[str, ImmutableRule]) -> ImmutableTag:
    """Return the refusal of a push that would move tags."""
    end = f" and leads to another manifest: push under another tag, {_REMEDY}"
    return ImmutableTag(_messages(tags, end), operation="push manifest", repository=repository)


def not_deleted(repository: str, tags: Mapping[str, ImmutableRule]) -> ImmutableTag:
    """Return the refusal of a deletion of tags."""
    end = f": keep it, {_REMEDY}"
    return ImmutableTag(_messages(tags, end), operation="delete tag", repository=repository)


def not_deleted_with(
    repository: str, digest: Digest, tags: Mapping[str, ImmutableRule]
) -> ImmutableTag:
    """Return the refusal of a deletion of what tags lead to."""
    end = f" and leads to {digest}: keep it, {_REMEDY}"
    return ImmutableTag(_messages(tags, end), operation="delete manifest", repository=repository)


def _messages(tags: Mapping[str, ImmutableRule], end: str) -> Mapping[str, str]:
    return {
        tag: f"tag {tag} is immutable by rule {rule.id} ({rule}){end}" for tag, rule in tags.items()
    }
