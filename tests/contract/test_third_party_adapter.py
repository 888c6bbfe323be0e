"""An adapter that somebody else wrote: installed by pip and found beside the built-in ones."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "transship-adapter-example"
LIST_KINDS = """
import json
from adapters import plugins
found = plugins.installed()
print(json.dumps([sorted(found.infos()), [problem.kind for problem in found.broken]]))
"""


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the example with pip and return the folder that holds it."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(EXAMPLE, folder / "source")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    install += ["--no-build-isolation", "--target", str(folder / "site"), str(folder / "source")]
    subprocess.run(install, check=True, timeout=120)
    return folder / "site"


def kinds(*, path: Path | None = None) -> tuple[list[str], list[str]]:
    """Return the kinds that a fresh process finds, usable and broken."""
    environment = {"PYTHONPATH": str(path)} if path else {}
    told = subprocess.run(
        [sys.executable, "-c", LIST_KINDS],
        check=True,
        capture_output=True,
        timeout=60,
        env=environment,
    )
    usable, broken = json.loads(told.stdout)
    return usable, broken


def test_the_example_is_found_once_it_is_installed(example: Path) -> None:
    before, _ = kinds()
    after, _ = kinds(path=example)
    assert sorted({*after} - {*before}) == ["example-prefix"]


def test_a_second_package_with_the_same_kind_takes_it_from_both(
    example: Path, tmp_path: Path
) -> None:
    shutil.copytree(example, tmp_path, dirs_exist_ok=True)
    (metadata,) = tmp_path.glob("transship_adapter_example-*.dist-info")
    twin = tmp_path / metadata.name.replace("example", "twin")
    shutil.copytree(metadata, twin)
    described = (twin / "METADATA").read_text().replace("adapter-example", "adapter-twin", 1)
    (twin / "METADATA").write_text(described)
    usable, broken = kinds(path=tmp_path)
    assert "example-prefix" not in usable
    assert broken.count("example-prefix") == 1
