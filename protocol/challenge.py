"""`WWW-Authenticate`: what a registry wants to see (RFC 9110 §11.6.1).

https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PART = re.compile(
    rf"""\s*(?:
        (?P<name>{_WORD})\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,"]*))
      | (?P<scheme>{_WORD})(?:\s+(?P<token68>[A-Za-z0-9._~+/-]+=*)(?=\s*(?:,|$)))?
    )\s*,?""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One challenge: its scheme and parameter names in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse(values: Sequence[str]) -> tuple[Challenge, ...]:
    """Return all challenges of all `WWW-Authenticate` headers, in order; junk is left out."""
    found: list[tuple[str, dict[str, str]]] = []
    for value in values:
        position = 0
        while match := _PART.match(value, position):
            position = match.end()
            if match["scheme"]:
                found.append((match["scheme"].lower(), {}))
            elif found:
                found[-1][1].setdefault(match["name"].lower(), _text(match))
    return tuple(Challenge(scheme=scheme, parameters=each) for scheme, each in found)


def _text(match: re.Match[str]) -> str:
    if match["quoted"] is None:
        return match["plain"]
    return re.sub(r"\\(.)", r"\1", match["quoted"])
