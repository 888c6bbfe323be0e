"""Comma-separated values (RFC 4180)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any


def line(cells: Sequence[Any]) -> str:
    """Return one line, with its line break; quoted where it has to be."""
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()
