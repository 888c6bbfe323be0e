"""Who may do what, decided from values alone. Roles will add their grants here."""

from __future__ import annotations

from enum import StrEnum

from access.identity import Principal


class Action(StrEnum):
    """What can be asked for within a project."""

    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"
    MANAGE = "manage"


def may(principal: Principal, action: Action, *, public: bool) -> bool:
    """Decide about an action in a project; `public` is False for one that does not exist."""
    if principal.is_sysadmin:
        return True
    return action is Action.PULL and public


def may_administer(principal: Principal) -> bool:
    """Decide about what belongs to no project: users, registries, the catalog."""
    return principal.is_sysadmin
