"""What stays free."""

from __future__ import annotations

import pytest

from registry.reserve import Reserve
from registry.storage.driver import Room

GIBIBYTE = 1024**3
RESERVE = Reserve(percent=5, least_bytes=2 * GIBIBYTE)


def room(free: float, total: int) -> Room:
    return Room(free_bytes=int(free * GIBIBYTE), total_bytes=total * GIBIBYTE)


@pytest.mark.parametrize(("total", "wanted"), [(10, 2), (40, 2), (100, 5)])
def test_the_larger_of_both_stays_free(total: int, wanted: int) -> None:
    assert RESERVE.wanted_bytes(room(1, total)) == wanted * GIBIBYTE
    assert RESERVE.shortage(room(wanted, total)) == ""
    assert RESERVE.shortage(room(wanted - 0.1, total)).startswith("storage full: ")


def test_it_warns_before_it_refuses() -> None:
    assert RESERVE.warning(room(11, 100)) == ""
    assert "nearly full: 9.0 GiB of 100.0 GiB" in RESERVE.warning(room(9, 100))
    assert RESERVE.warning(room(4, 100)).startswith("storage full")


def test_where_there_is_no_limit_there_is_no_shortage() -> None:
    assert RESERVE.shortage(None) == RESERVE.warning(None) == ""
    assert Reserve().shortage(room(0, 10)) == Reserve().warning(room(0, 10)) == ""
