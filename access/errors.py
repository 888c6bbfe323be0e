"""Every error of this package, as one tree.

AccessError
├── InvalidCredentials     who is this? user name and password do not fit
├── InvalidUsername
├── InvalidPassword
├── InvalidProjectName
├── ProjectExists
├── ProjectNotFound
└── ProjectNotEmpty        repositories are still in it
"""

from __future__ import annotations


class AccessError(Exception):
    """The root of what this package raises."""


class InvalidCredentials(AccessError):
    """No such user, or another password; which of the two is not said."""


class InvalidUsername(AccessError, ValueError):
    """Not a user name."""


class InvalidPassword(AccessError, ValueError):
    """Not a password that can be kept."""


class InvalidProjectName(AccessError, ValueError):
    """Not a project name."""


class ProjectExists(AccessError):
    """The name is taken."""

    def __init__(self, name: str) -> None:
        super().__init__(f"project {name!r} exists already")
        self.name = name


class ProjectNotFound(AccessError):
    """No project of that name or id."""

    def __init__(self, name: str | int) -> None:
        super().__init__(f"project {name!r} does not exist")
        self.name = name


class ProjectNotEmpty(AccessError):
    """It holds repositories; they must be deleted first."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"project {name!r} contains repositories; delete them before you delete the project"
        )
        self.name = name
