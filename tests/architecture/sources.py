"""The product's sources as the gates see them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "access",
    "adapters",
    "config",
    "database",
    "jobservice",
    "protocol",
    "registry",
    "replication",
)


def product() -> list[Path]:
    """Every Python file that ships."""
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def everything() -> list[Path]:
    """Every Python file that is ours, tests and examples too."""
    return product() + [
        path
        for folder in ("tests", "examples")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "build" not in path.parts
    ]


def name(path: Path) -> str:
    """Path below the root, with slashes."""
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def imports(path: Path) -> Iterator[str]:
    """Full names of the modules a file imports, also those it wants for types only."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
