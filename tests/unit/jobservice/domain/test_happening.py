from __future__ import annotations

import pytest

from jobservice.domain.happening import Happening, Place, Topic, Wanted


def test_a_place_is_read_back() -> None:
    place = Place(xact=2**63 - 1, id=7)
    assert Place.read(str(place)) == place
    assert Place(xact=1, id=9) < Place(xact=2)


@pytest.mark.parametrize("text", ["", "7", "7.", "-1.2", "7.8.9", "\u0661.1", "9" * 19 + ".1"])
def test_what_is_no_place_is_none(text: str) -> None:
    assert Place.read(text) is None


def test_what_is_wanted_is_told_and_nothing_else() -> None:
    told = Happening(topic=Topic.TASK, data={}, execution_id=7)
    assert Wanted(topics=frozenset({Topic.TASK})).takes(told)
    assert Wanted(topics=frozenset({Topic.TASK}), execution_id=7).takes(told)
    assert not Wanted(topics=frozenset({Topic.TASK}), execution_id=8).takes(told)
    assert not Wanted(topics=frozenset({Topic.QUEUE})).takes(told)
