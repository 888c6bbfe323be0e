"""Retention policies of the trial: what each says to the API, and what the model has to know of it.

An owner's tags end in a number, `o7-t0` to `o7-t4`; rules tell them apart by that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final

_NUMBER: Final = re.compile(r"-t(\d)$")


class Fate(Enum):
    """What rules make of a tag by itself: OPEN depends on what else there is."""

    STAYS = auto()
    OPEN = auto()
    GOES = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`tags` are the fates by number, `untagged` that of an artifact of its own without a tag.

    `by_tag`: tags go one by one, else an artifact with all of them, if none of them stays.
    """

    name: str
    tags: Sequence[Fate]
    untagged: Fate
    by_tag: bool
    rules: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    own: Sequence[Mapping[str, Any]] = field(default=(), repr=False)

    def fate(self, tag: str) -> Fate:
        """Return what becomes of an owner's tag."""
        found = _NUMBER.search(tag)
        assert found is not None, tag
        return self.tags[int(found[1])]

    def to_json(self, project_id: int) -> dict[str, Any]:
        """Return the body of a request that sets it."""
        return {
            "algorithm": "or",
            "rules": list(self.rules),
            "trigger": {"kind": "Schedule", "references": {}, "settings": {"cron": ""}},
            "scope": {"level": "project", "ref": project_id},
            "transship": {"rules": list(self.own), "scope": "tag" if self.by_tag else "digest"},
        }


def _selector(pattern: str, decoration: str = "matches") -> dict[str, str]:
    return {"kind": "doublestar", "decoration": decoration, "pattern": pattern}


def _retain(template: str, pattern: str, count: int | None = None, *, untagged: bool) -> Any:
    """Return a rule in Harbor's form."""
    extras = '{"untagged":true}' if untagged else '{"untagged":false}'
    return {
        "action": "retain",
        "template": template,
        "params": {} if count is None else {template: count},
        "tag_selectors": [{**_selector(pattern), "extras": extras}],
        "scope_selectors": {"repository": [_selector("**", "repoMatches")]},
    }


HARBOR: Final = (
    Policy(
        name="harbor, strict",
        tags=(Fate.STAYS, Fate.OPEN, Fate.OPEN, Fate.GOES, Fate.GOES),
        untagged=Fate.GOES,
        by_tag=False,
        rules=[
            _retain("always", "*-t0", untagged=False),
            _retain("latestPushedK", "*-t[12]", 2, untagged=False),
        ],
    ),
    Policy(
        name="harbor, mild",
        tags=(Fate.STAYS, Fate.STAYS, Fate.OPEN, Fate.OPEN, Fate.OPEN),
        untagged=Fate.STAYS,
        by_tag=False,
        rules=[
            _retain("always", "*-t[01]", untagged=True),
            _retain("latestActiveK", "**", 4, untagged=False),
        ],
    ),
)
OWN: Final = (
    Policy(
        name="own, tag by tag",
        tags=(Fate.STAYS, Fate.STAYS, Fate.STAYS, Fate.OPEN, Fate.GOES),
        untagged=Fate.STAYS,
        by_tag=True,
        own=[
            {"action": "keep", "tags": [_selector("*-t0")]},
            {
                "action": "delete",
                "tags": [_selector("*-t3")],
                "unless": {"newest": {"count": 1, "by": "push"}},
            },
            {"action": "delete", "tags": [_selector("*-t4")]},
        ],
    ),
    Policy(
        name="own, by digest",
        tags=(Fate.STAYS, Fate.STAYS, Fate.STAYS, Fate.GOES, Fate.GOES),
        untagged=Fate.GOES,
        by_tag=False,
        own=[
            {"action": "keep", "tags": [_selector("*-t0")], "tag_state": "tagged"},
            {"action": "delete", "tags": [_selector("*-t[34]")]},
            {"action": "delete", "tag_state": "untagged"},
        ],
    ),
)
