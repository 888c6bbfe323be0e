"""`Link` headers: where a listing goes on (RFC 8288; distribution-spec, Listing Tags)."""

from __future__ import annotations

import re
from collections.abc import Sequence

_LINK = re.compile(r"<([^>]*)>((?:\s*;\s*[^,;\"]+(?:\"[^\"]*\")?)*)")
_REL = re.compile(r";\s*rel\s*=\s*\"?([^\";]+)\"?", re.IGNORECASE)


def following(values: Sequence[str]) -> str | None:
    """Return the target of `rel="next"`; a single Link without a rel counts as one."""
    for value in values:
        for target, parameters in _LINK.findall(value):
            rel = _REL.search(parameters)
            if rel is None or "next" in rel[1].lower().split():
                return str(target)
    return None
