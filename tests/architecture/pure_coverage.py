"""The coverage gate: the unit tests take every branch of every pure module.

A program rather than a test, because coverage cannot be measured from inside what it measures.
"""

from __future__ import annotations

import subprocess
import sys

from tests.architecture import pure_modules, sources

PYTHON = (sys.executable, "-m")


def main() -> int:
    """Run the unit tests under coverage; the exit code is the gate's."""
    data = "--data-file=.coverage.pure"
    packages = ",".join(sources.PACKAGES)
    run = ("coverage", "run", data, "--branch", f"--source={packages}")
    ended = subprocess.run(
        [*PYTHON, *run, "-m", "pytest", "-q", "--no-header", "tests/unit"],
        cwd=sources.ROOT,
        check=False,
    )
    if ended.returncode != 0:
        return ended.returncode
    report = ("coverage", "report", data, "--show-missing", "--skip-covered", "--fail-under=100")
    include = f"--include={','.join(pure_modules.PURE)}"
    return subprocess.run([*PYTHON, *report, include], cwd=sources.ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
