"""Rules and artifacts, written short."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from registry.retention.artifact import Artifact, Tag
from registry.retention.deciding import decide
from registry.retention.decision import Decision, Fate
from registry.retention.rule_set import RuleSet

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def digest(number: int) -> str:
    return f"sha256:{hashlib.sha256(str(number).encode()).hexdigest()}"


def companion(number: int, suffix: str = "") -> str:
    """The tag of what accompanies an artifact."""
    return digest(number).replace(":", "-") + suffix


def tag(name: str, *, pushed: float = 0, pulled: float | None = None, immutable: str = "") -> Tag:
    return Tag(
        name=name,
        pushed_at=ago(pushed),
        pulled_at=None if pulled is None else ago(pulled),
        immutable=immutable,
    )


def artifact(number: int, *names: str | Tag, pushed: float = 0, **facts: Any) -> Artifact:
    """One that was pushed so many days ago, with its tags."""
    tags = [tag(one, pushed=pushed) if isinstance(one, str) else one for one in names]
    return Artifact(
        id=number, digest=digest(number), pushed_at=ago(pushed), tags=tags, size_bytes=10, **facts
    )


def selector(pattern: str, decoration: str = "matches", extras: str = "") -> dict[str, Any]:
    return {
        "kind": "doublestar",
        "decoration": decoration,
        "pattern": pattern,
        **({"extras": extras} if extras else {}),
    }


def harbor(
    template: str, value: object = None, *tags: dict[str, Any], repositories: str = "**"
) -> dict[str, Any]:
    return {
        "action": "retain",
        "template": template,
        "params": {} if value is None else {template: value},
        "tag_selectors": list(tags) or [selector("**")],
        "scope_selectors": {"repository": [selector(repositories, "repoMatches")]},
    }


def delete(*patterns: str, **fields: Any) -> dict[str, Any]:
    return {"action": "delete", "tags": [selector(one) for one in patterns], **fields}


def keep(*patterns: str, **fields: Any) -> dict[str, Any]:
    return {**delete(*patterns, **fields), "action": "keep"}


def rules(*said: dict[str, Any], scope: str = "digest") -> RuleSet:
    """Rules of both forms, told apart by their fields."""
    own = [one for one in said if "template" not in one]
    return RuleSet.parse([one for one in said if "template" in one], own, scope)


def decided(
    artifacts: Iterable[Artifact], *said: dict[str, Any], scope: str = "digest"
) -> Decision:
    return decide(artifacts, rules(*said, scope=scope), now=NOW)


def staying(decision: Decision) -> set[int]:
    """The ids of what is kept."""
    return {one.id for one in decision.outcomes() if one.fate in {Fate.KEPT, Fate.UNTAGGED}}


def reason(decision: Decision, number: int, name: str | None = None) -> str:
    """Why an artifact, or one of its tags, stays or goes."""
    found = [one for one in decision.outcomes() if one.id == number]
    return next(one.reason for one in found if name is None or one.tags == (name,))
