"""`make breaks`: every promise is broken once, in a copy of the tree, and its tests have to notice.

A break is a file `NAME.patch` in this folder. Lines before the diff say what it breaks:

    Promise: 2
    Tests: tests/unit/replication/test_copy.py::test_children_go_before_parents

The tests run on the untouched copy first: a test that is red anyway proves nothing.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".cache", "__pycache__", ".*_cache", ".hypothesis", "build", "dist"
)
PYTEST = (sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider")
# pytest's codes: everything passed; some test failed
PASSED, FAILED = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """One way to violate a promise, and the tests that must see it."""

    patch: Path
    promise: str
    tests: tuple[str, ...]


def read(patch: Path) -> Break:
    """Return a break; raises ValueError when its head is incomplete."""
    fields = {}
    for line in patch.read_text().splitlines():
        if line.startswith(("diff ", "--- ")):
            break
        name, separator, value = line.partition(":")
        if separator:
            fields[name.strip()] = value.strip()
    if not fields.get("Promise") or not fields.get("Tests"):
        raise ValueError(f"{patch.name} does not say `Promise:` and `Tests:` before its diff")
    return Break(patch=patch, promise=fields["Promise"], tests=tuple(fields["Tests"].split()))


def verdict(broken: Break) -> str:
    """Return what is wrong with a break, empty when its tests noticed it."""
    with tempfile.TemporaryDirectory(prefix="transship-break-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=LEFT_OUT, symlinks=True)
        if run_tests(tree, broken.tests) != PASSED:
            return "its tests are red without it"
        applied = subprocess.run(
            ["patch", "--strip=1", "--batch", "--silent", f"--input={broken.patch}"],
            cwd=tree,
            check=False,
            capture_output=True,
            text=True,
        )
        if applied.returncode != 0:
            return f"it no longer applies: {applied.stdout.strip()}"
        if run_tests(tree, broken.tests) != FAILED:
            return "its tests did not notice"
    return ""


def run_tests(tree: Path, tests: Sequence[str]) -> int:
    # The copy's own packages, not the ones that are installed from the clone.
    bootstrap = f"import sys; sys.path.insert(0, {str(tree)!r}); import pytest; "
    call = f"sys.exit(pytest.main({[*PYTEST[3:], *tests]!r}))"
    return subprocess.run(
        [sys.executable, "-c", bootstrap + call], cwd=tree, check=False, capture_output=True
    ).returncode


def tell(line: str) -> None:
    """Say how it goes, line by line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Try the breaks whose names are given, or all; the exit code is the number of failures."""
    parser = argparse.ArgumentParser(prog="make breaks", description=__doc__)
    parser.add_argument("names", nargs="*", help="without .patch; default: all")
    names = parser.parse_args().names
    chosen = [FOLDER / f"{name}.patch" for name in names] or sorted(FOLDER.glob("*.patch"))
    failures = 0
    for patch in chosen:
        broken = read(patch)
        wrong = verdict(broken)
        failures += bool(wrong)
        word = "FAILED " if wrong else "noticed"
        tell(f"{word}  {patch.stem} (promise {broken.promise}) {wrong}".rstrip())
    tell(f"{len(chosen) - failures} of {len(chosen)} breaks were noticed")
    return failures or int(not chosen)


if __name__ == "__main__":
    sys.exit(main())
