"""Sums in bounded memory."""

from __future__ import annotations

from jobservice.domain.sums import GROUPS_KEPT, OTHERS, Sums


def test_the_largest_comes_first() -> None:
    sums = Sums()
    for name, size in (("a", 1), ("b", 5), ("a", 2), ("c", 5)):
        sums.add(name, size)
    assert list(sums.rows("repository")) == [
        {"repository": "b", "count": 1, "bytes": 5},
        {"repository": "c", "count": 1, "bytes": 5},
        {"repository": "a", "count": 2, "bytes": 3},
    ]


def test_beyond_ten_thousand_names_the_rest_is_one() -> None:
    sums = Sums()
    for number in range(GROUPS_KEPT + 5):
        sums.add(f"r{number}", 1)
    sums.add("r0", 1)
    rows = {row["name"]: row["bytes"] for row in sums.rows("name")}
    assert len(rows) == GROUPS_KEPT + 1
    assert (rows[OTHERS], rows["r0"]) == (5, 2)
