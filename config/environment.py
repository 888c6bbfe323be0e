"""The one place that reads the process environment; everything else is handed what it needs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType


def read() -> Mapping[str, str]:
    """Return the environment as it is now; a copy that nobody can change."""
    return MappingProxyType(dict(os.environ))
