"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody who asks for something; `user_id` is None for anonymous and for Transship itself."""

    user_id: int | None
    username: str
    is_sysadmin: bool = False

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody said who they are."""
        return self.user_id is None and not self.is_sysadmin


ANONYMOUS = Principal(user_id=None, username="")
# Transship's own work: a replication, a maintenance loop. Never made from a request.
SYSTEM = Principal(user_id=None, username="transship", is_sysadmin=True)
