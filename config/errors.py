"""What reading settings can fail with; apart from settings.py, whose import costs 0.1 s."""

from __future__ import annotations


class InvalidSettings(Exception):
    """One or more settings are wrong; the message has one line for each."""
