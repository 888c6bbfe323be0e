"""One line of the audit log, as it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what, from where, and whether it came to pass."""

    id: int
    occurred_at: datetime
    username: str
    address: str
    operation: str
    resource_type: str
    resource: str
    description: str
    successful: bool
    details: Mapping[str, Any]
