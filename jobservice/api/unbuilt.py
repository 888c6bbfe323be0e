"""The operations of Harbor's API v2.0 that this version knows by name only: they answer 501.

harbor_operations.json is made from Harbor's swagger: methods by path.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from jobservice.api.router import API_ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """Harbor's paths beneath /api/v2.0 as expressions, with the methods of each."""

    by_path: Mapping[re.Pattern[str], frozenset[str]]

    def methods(self, path: str) -> frozenset[str]:
        """Return the methods that Harbor has for a path, none for a path it does not have."""
        beneath = path.removeprefix(API_ROOT)
        found = [methods for pattern, methods in self.by_path.items() if pattern.fullmatch(beneath)]
        return frozenset().union(*found)


def load() -> Operations:
    """Read the list that comes with this package."""
    text = resources.files("jobservice.api").joinpath("harbor_operations.json").read_text()
    known: dict[str, list[str]] = json.loads(text)
    return Operations(
        by_path={_expression(path): frozenset(methods) for path, methods in known.items()}
    )


def _expression(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{[^}]*\}", path)
    return re.compile("[^/]+".join(re.escape(part) for part in parts))
