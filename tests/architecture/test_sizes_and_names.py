"""Files and functions that fit on a screen, and names that say what is inside."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.architecture import sources

LONGEST_FILE = 400
LONGEST_FUNCTION = 50
DRAWERS = re.compile(r"(^|_)(utils?|helpers?|common|misc|shared|stuff)(_|$)")
LEFT_FOR_LATER = re.compile(r"\b(TODO|FIXME|XXX)\b|NotImplementedError")


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(sources.tree(path)) if isinstance(node, kinds)]


def statement_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first statement after the docstring to the end."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_the_product_is_there() -> None:
    assert len(sources.product()) > 30


@pytest.mark.parametrize("path", sources.everything(), ids=sources.name)
def test_a_file_is_one_idea(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("path", sources.everything(), ids=sources.name)
def test_a_function_is_one_screen(path: Path) -> None:
    long = {
        function.name: statement_lines(function)
        for function in functions(path)
        if statement_lines(function) > LONGEST_FUNCTION
    }
    assert long == {}


@pytest.mark.parametrize("path", sources.everything(), ids=sources.name)
def test_no_drawer_is_opened(path: Path) -> None:
    parts = path.relative_to(sources.ROOT).with_suffix("").parts
    assert [part for part in parts if DRAWERS.search(part)] == []


@pytest.mark.parametrize("path", sources.product(), ids=sources.name)
def test_nothing_is_left_for_later(path: Path) -> None:
    assert LEFT_FOR_LATER.findall(path.read_text()) == []


def test_package_roots_are_empty() -> None:
    full = [path for path in sources.product() if path.name == "__init__.py" and path.read_text()]
    assert [sources.name(path) for path in full] == []
