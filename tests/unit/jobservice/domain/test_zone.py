from __future__ import annotations

import pytest

from jobservice.domain import zone


def test_tasks_run_where_both_registries_are_reached() -> None:
    assert zone.of_tasks(None, None) is None
    assert zone.of_tasks("plant-a", None) == zone.of_tasks(None, "plant-a") == "plant-a"
    assert not zone.are_apart("plant-a", None)
    assert not zone.are_apart("plant-a", "plant-a")
    assert zone.are_apart("plant-a", "plant-b")


def test_the_default_zone_has_no_name() -> None:
    assert zone.stored("default") is zone.stored("") is zone.stored(None) is None
    assert zone.stored("plant-a") == "plant-a"


@pytest.mark.parametrize("name", ["Plant", "a.b", "-a", "a-", "a" * 64, "a b"])
def test_a_name_that_no_queue_could_have_is_refused(name: str) -> None:
    assert list(zone.problems(name))
    assert not list(zone.problems("plant-a"))
    assert not list(zone.problems(None))
