from __future__ import annotations

import pytest

from jobservice.domain import retention_table as table
from tests.unit.jobservice.domain.verdicts import verdict


def test_a_row_stands_under_its_headings() -> None:
    row = table.row("DELETE", verdict(7, "v1", "v2"), "no rule keeps it")
    assert row.startswith("DELETE   sha256:000000000000 v1, v2 ")
    assert row.endswith("1.5 KiB  2026-11-26 03:04 -                no rule keeps it")
    assert row.index("no rule") == table.HEADING.index("WHY")


@pytest.mark.parametrize(
    ("tags", "shown"),
    [
        ((), "-"),
        (("v1",), "v1"),
        (("a" * 40,), "a" * 31 + "…"),
        (tuple(f"release-{n}" for n in range(10_000)), "release-0 +9999"),
        (("a" * 40, "b"), "a" * 28 + "… +1"),
    ],
)
def test_tags_are_shown_as_far_as_there_is_room(tags: tuple[str, ...], shown: str) -> None:
    assert table.shown_tags(tags) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (10 * 2**40, "10.0 TiB"),
        (2**60, "1048576.0 TiB"),
    ],
)
def test_sizes_are_shown_for_people(count: int, shown: str) -> None:
    assert table.shown_bytes(count) == shown
