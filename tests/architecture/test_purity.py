"""Pure modules stay pure, also through what they import."""

from __future__ import annotations

from functools import cache

import pytest

from tests.architecture import pure_modules, sources


@cache
def reaches(module: str) -> frozenset[str]:
    """Top-level names of everything outside that a module of ours leads to."""
    path = sources.ROOT / (module.replace(".", "/") + ".py")
    found = set()
    for used in set(sources.imports(path)):
        if used.split(".")[0] not in sources.PACKAGES:
            found.add(used.split(".")[0])
        elif (sources.ROOT / (used.replace(".", "/") + ".py")).is_file():
            found |= reaches(used)
    return frozenset(found)


@pytest.mark.parametrize("file", pure_modules.PURE)
def test_a_pure_module_leads_to_nothing_outside(file: str) -> None:
    module = file.removesuffix(".py").replace("/", ".")
    assert reaches(module).isdisjoint(pure_modules.IMPURE)


# Rooms that decide. What leads to nothing outside there is pure, and held to it.
DECIDING = ("protocol/", "access/", "registry/", "replication/", "jobservice/domain/")


def test_every_module_that_decides_is_listed() -> None:
    """Else a new one would escape the two gates, this one and the coverage of every branch."""
    free = {
        sources.name(path)
        for path in sources.product()
        if sources.name(path).startswith(DECIDING)
        and path.name != "__init__.py"
        and reaches(sources.name(path).removesuffix(".py").replace("/", ".")).isdisjoint(
            pure_modules.IMPURE
        )
    }
    assert free - set(pure_modules.PURE) == set()


def test_every_listed_module_is_there() -> None:
    assert [name for name in pure_modules.PURE if not (sources.ROOT / name).is_file()] == []
