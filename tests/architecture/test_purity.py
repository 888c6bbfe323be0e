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
