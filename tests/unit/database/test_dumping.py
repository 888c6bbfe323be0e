from __future__ import annotations

import pytest

from database import dumping


@pytest.mark.parametrize(
    ("dsn", "bare", "password"),
    [
        (
            "postgresql://transship:p%40ss@/db?host=/run/a%20b&port=5432",
            "postgresql://transship@/db?host=/run/a%20b&port=5432",
            "p@ss",
        ),
        ("postgresql://u:p@one:1,two:2/db", "postgresql://u@one:1,two:2/db", "p"),
        ("postgres:///db?host=/run", "postgres:///db?host=/run", None),
        ("postgresql://u@host/db", "postgresql://u@host/db", None),
    ],
)
def test_a_password_is_on_no_command_line(dsn: str, bare: str, password: str | None) -> None:
    address, environment = dumping.without_password(dsn)
    assert address == bare
    assert environment == ({"PGPASSWORD": password} if password else {})
