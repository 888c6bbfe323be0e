from __future__ import annotations

import pytest

from jobservice.domain import time_zone
from jobservice.errors import InvalidRequest


def test_every_zone_of_the_database_is_there() -> None:
    assert len(time_zone.names()) > 500
    for name in time_zone.names():
        assert time_zone.named(name).key == name


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("europe/berlin", "did you mean Europe/Berlin?"),
        ("Europe/Berln", "did you mean Europe/Berlin?"),
        ("", "as in Europe/Berlin"),
        ("zzzzzzz", "as in Europe/Berlin"),
        ("localtime", "is no time zone's name"),
        ("../../etc/passwd", "is no time zone's name"),
        ("/etc/localtime", "is no time zone's name"),
        ("right/UTC", "is no time zone's name"),
        ("x" * 1_000_000, "has 1000000 characters"),
    ],
)
def test_other_names_are_refused_with_the_nearest(name: str, part: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        time_zone.named(name)
    assert part in str(caught.value)
