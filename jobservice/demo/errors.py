"""What the demo can fail with."""

from __future__ import annotations


class DemoFailed(Exception):
    """The demo cannot go on, or something is not as it must be."""


class NotAsPromised(DemoFailed):
    """Something that the demo asserts does not hold."""
