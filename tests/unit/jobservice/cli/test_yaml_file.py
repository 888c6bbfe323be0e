from pathlib import Path
from typing import Any

import pytest

from jobservice.cli import yaml_file
from jobservice.cli.errors import UsageError


def read(folder: Path, text: str) -> Any:
    path = folder / "file.yaml"
    path.write_text(text)
    return yaml_file.read(path)


def test_what_looks_like_a_tag_stays_as_it_was_written(tmp_path: Path) -> None:
    said = read(tmp_path, "[1.10, 2024-01-01, 1e3, 2024-01-01 10:00:00Z, 3, true, null]")
    assert said == ["1.10", "2024-01-01", "1e3", "2024-01-01 10:00:00Z", 3, True, None]


def test_json_is_read_too(tmp_path: Path) -> None:
    assert read(tmp_path, '{"rules": [{"params": {"latestPushedK": 10}}]}') == {
        "rules": [{"params": {"latestPushedK": 10}}]
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [", "file.yaml is not YAML: .*line 1"),
        ("a: 1\na: 2\n", "'a' is said twice"),
        ("#" * (4 * 1024 * 1024 + 1), "larger than 4 MiB"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=f"(?s){reason}"):
        read(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing\.yaml cannot be read: No such file"):
        yaml_file.read(tmp_path / "nothing.yaml")
