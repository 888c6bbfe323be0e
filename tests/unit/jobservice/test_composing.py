from __future__ import annotations

import pytest

from jobservice import composing


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("postgresql://u:p@db.test/x", {("db.test", 5432)}),
        ("postgresql://u:p@h1:5433,h2/x", {("h1", 5433), ("h2", 5432)}),
        ("postgresql:///x?host=db.test", {("db.test", 5432)}),
        ("postgresql:///x?host=/run/postgresql", set()),
        ("redis://[::1]:6380/0", {("::1", 6380)}),
        ("rediss://cache.test", {("cache.test", 6379)}),
    ],
)
def test_every_server_that_a_dsn_names_is_ours(dsn: str, expected: set[tuple[str, int]]) -> None:
    assert composing.own_servers(dsn) == expected
