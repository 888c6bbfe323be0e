"""One door for each thing outside: who may import what, by file.

import-linter (pyproject.toml) holds the floors; these are the doors within them.
"""

from __future__ import annotations

import ast
import fnmatch
from pathlib import Path

import pytest

from tests.architecture import sources

# outside system -> (modules that stand for it, patterns of the files that may import them)
DOORS = {
    "Postgres": (
        ("asyncpg",),
        ("database/*", "*/store/*", "registry/metadata/*"),
    ),
    "Redis": (
        ("arq", "redis"),
        ("jobservice/queue.py", "jobservice/worker.py", "jobservice/coordination.py"),
    ),
    "HTTP to registries": (
        (
            "aiohttp.ClientSession",
            "aiohttp.TCPConnector",
            "aiohttp.ClientTimeout",
            "aiohttp.ClientResponse",
            "aiohttp.client",
            "aiohttp.connector",
        ),
        ("protocol/transport.py", "protocol/connections.py", "protocol/answer.py"),
    ),
    "S3": (
        ("aiobotocore", "botocore"),
        ("registry/storage/bucket.py", "registry/storage/s3_reading.py"),
    ),
    "other HTTP clients": (("http.client", "urllib.request", "urllib3", "requests", "httpx"), ()),
    "the environment": (("os.environ", "os.getenv"), ("config/environment.py",)),
    "the reader of the environment": (
        ("config.environment",),
        ("jobservice/cli/*", "jobservice/supervisor/*"),
    ),
    "the web framework": (
        ("aiohttp.web",),
        ("jobservice/api/*", "registry/http/*", "jobservice/worker*.py"),
    ),
}


def uses(path: Path) -> set[str]:
    """What a file imports, and the attributes it takes from `os` and `aiohttp`."""
    taken = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(sources.tree(path))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in {"os", "aiohttp"}
    }
    return taken | set(sources.imports(path))


def stands_for(used: str, module: str) -> bool:
    return used == module or used.startswith(module + ".")


@pytest.mark.parametrize("system", DOORS)
def test_only_its_door_touches(system: str) -> None:
    modules, doors = DOORS[system]
    trespassers = {
        f"{sources.name(path)} uses {used}"
        for path in sources.product()
        if not any(fnmatch.fnmatch(sources.name(path), door) for door in doors)
        for used in uses(path)
        if any(stands_for(used, module) for module in modules)
    }
    assert trespassers == set()


def test_the_product_never_imports_its_tests() -> None:
    wrong = {
        sources.name(path)
        for path in sources.product()
        for used in sources.imports(path)
        if used.split(".")[0] in {"tests", "examples", "pytest", "hypothesis"}
    }
    assert wrong == set()


def passes_on(handler: ast.ExceptHandler) -> bool:
    """Whether it cleans up and lets the exception through."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


@pytest.mark.parametrize("path", sources.product(), ids=sources.name)
def test_exceptions_are_caught_by_name(path: Path) -> None:
    """Except where a task is settled, a service ticks, or a response is mapped (STYLE 12)."""
    broad = [
        node.lineno
        for node in ast.walk(sources.tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
        and not passes_on(node)
    ]
    allowed = any(fnmatch.fnmatch(sources.name(path), place) for place in CATCH_ALL)
    assert allowed or broad == []


CATCH_ALL = (
    "jobservice/gathering.py",
    "registry/look_ups.py",
    "jobservice/runner.py",
    "jobservice/maintenance/*.py",
    "jobservice/api/exchange.py",
    "registry/http/errors*.py",
)
