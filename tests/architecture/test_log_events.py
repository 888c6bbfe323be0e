"""What operators look for in the logs is written down and emitted."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.architecture import sources

LEVELS = {"info", "warning", "error", "exception", "critical"}
PAGE = (sources.ROOT / "docs" / "logging.md").read_text()
# `maintenance/registry_care.py` logs under the name of the chore at hand.
BY_NAME = {"uploads_expired", "partials_swept"}


def emitted() -> Iterator[str]:
    """The events of all lines that are written in production."""
    for path in sources.product():
        for node in ast.walk(sources.tree(path)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in LEVELS
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id in {"log", "_log"}
                and node.args
                and isinstance(node.args[0], ast.Constant)
                and "%" not in str(node.args[0].value)  # protocol's, which knows no structlog
            ):
                yield str(node.args[0].value)


def described() -> set[str]:
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    return set(re.findall(r"`([a-z_]+)`", " ".join(rows)))


def test_every_event_that_is_described_is_emitted() -> None:
    care = (sources.ROOT / "jobservice" / "maintenance" / "registry_care.py").read_text()
    assert {name for name in BY_NAME if f'"{name}"' in care} == BY_NAME
    assert described() - set(emitted()) == BY_NAME


def test_events_are_names_not_sentences() -> None:
    assert [name for name in emitted() if not re.fullmatch(r"[a-z]+(_[a-z]+)*", name)] == []
