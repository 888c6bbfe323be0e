"""Results on standard output: aligned columns for people, JSON for machines."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

_FRACTION = re.compile(r"(?<=T\d\d:\d\d:\d\d)\.\d+(?=Z$)")

AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]


def line(text: str) -> None:
    """Print one line of a result."""
    print(text, flush=True)  # noqa: T201 - results go to standard output, here


def as_json(value: object) -> None:
    """Print a value as JSON."""
    line(json.dumps(value, indent=2, ensure_ascii=False))


def compact(value: object) -> None:
    """Print a value as JSON on one line, for what has no end."""
    line(json.dumps(value, ensure_ascii=False))


def rows(found: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, machine: bool) -> None:
    """Print rows; `columns` maps a heading to the dotted path of its value."""
    if machine:
        as_json(list(found))
        return
    texts = [list(columns)] + [[text_at(row, path) for path in columns.values()] for row in found]
    widths = [max(len(text) for text in column) for column in zip(*texts, strict=True)]
    for cells in texts:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        line("  ".join(padded).rstrip())


def details(found: Mapping[str, Any], *, machine: bool) -> None:
    """Print one thing, a field a line, dotted where it lies deeper; nothing for empty fields."""
    if machine:
        as_json(found)
        return
    for name, value in found.items():
        if isinstance(value, Mapping):
            details({f"{name}.{inner}": value[inner] for inner in value}, machine=False)
        elif value not in (None, "", []):
            line(f"{name}: {_text(value)}")


def retried(outcome: Mapping[str, Any], *, machine: bool) -> None:
    """Print what a retry came to: how many tasks go, how many may not, and why."""
    if machine:
        as_json(outcome)
        return
    line(f"{outcome['retried']} tasks try again, {outcome['refused']} may not")
    for reason in outcome["reasons"]:
        line(reason)


def text_at(row: Mapping[str, Any], path: str) -> str:
    """Return the value at a dotted path as text; empty where there is none."""
    value: Any = row
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return _text(value)


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case dict() | list():
            return json.dumps(value, ensure_ascii=False)
        case _:
            # Times to the second: people compare them with a clock.
            return _FRACTION.sub("", str(value))
