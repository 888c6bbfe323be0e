"""Every error of this floor that is not a registry's, as one tree.

AdapterError
├── UnknownKind      no installed adapter has this kind: kind, known
└── BrokenPlugin     an installed adapter cannot be used: kind, distribution, reason
"""

from __future__ import annotations


class AdapterError(Exception):
    """The root."""


class UnknownKind(AdapterError):
    """No installed adapter has this kind."""

    def __init__(self, kind: str, *, known: tuple[str, ...]) -> None:
        super().__init__(f"no adapter of kind {kind!r} is installed; known are {', '.join(known)}")
        self.kind = kind
        self.known = known


class BrokenPlugin(AdapterError):
    """An installed distribution offers an adapter that cannot be used."""

    def __init__(self, kind: str, *, distribution: str, reason: str) -> None:
        super().__init__(
            f"adapter {kind!r} of {distribution} cannot be used: {reason}; "
            f"upgrade or uninstall {distribution}"
        )
        self.kind = kind
        self.distribution = distribution
        self.reason = reason
