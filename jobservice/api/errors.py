"""What only the API can find wrong with a request, as one tree.

ApiError
├── Unauthenticated          401
├── Forbidden                403; the same words whether or not the thing exists
├── NoSuchPath               404
├── MethodNotAllowed         405: allowed
├── BodyTooLarge             413
├── UnsupportedMediaType     415
└── NotBuilt                 501
"""

from __future__ import annotations


class ApiError(Exception):
    """The root."""


class Unauthenticated(ApiError):
    """Nobody logged in, or not with what we know."""

    def __init__(self) -> None:
        super().__init__("log in with a user name and password (HTTP Basic)")


class Forbidden(ApiError):
    """Somebody logged in who may not do this."""

    def __init__(self) -> None:
        super().__init__("this needs a system administrator")


class NoSuchPath(ApiError):
    """Neither Harbor nor Transship has such a path."""

    def __init__(self, path: str) -> None:
        super().__init__(f"there is no {path}; /api/v2.0/openapi.json lists what there is")


class MethodNotAllowed(ApiError):
    """The path is there and does not know the method."""

    def __init__(self, method: str, path: str, *, allowed: tuple[str, ...]) -> None:
        super().__init__(f"{path} does not know {method}, it knows {', '.join(allowed)}")
        self.allowed = allowed


class BodyTooLarge(ApiError):
    """The body is more than anything here needs."""

    def __init__(self, limit_bytes: float) -> None:
        super().__init__(f"the body is larger than {limit_bytes:.0f} bytes")


class UnsupportedMediaType(ApiError):
    """The body is not marked as JSON."""

    def __init__(self, media_type: str) -> None:
        super().__init__(f"the body is {media_type}; send JSON as Content-Type: application/json")


class NotBuilt(ApiError):
    """Harbor has the operation, this version of Transship does not."""

    def __init__(self, operation: str) -> None:
        super().__init__(f"{operation} is not built in this version of Transship")
