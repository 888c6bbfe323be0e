from __future__ import annotations

from registry.retention.guard import Guard, Totals, reasons_to_wait


def waits(totals: Totals, *, previous: int | None = None, share_percent: int = 50) -> list[str]:
    return list(reasons_to_wait(totals, Guard(share_percent=share_percent), previous=previous))


def test_a_run_that_takes_little_does_not_wait() -> None:
    assert waits(Totals(candidates=100, going=50), previous=17) == []
    assert waits(Totals(), previous=None) == []


def test_a_run_that_takes_more_than_its_share_waits() -> None:
    assert waits(Totals(candidates=100, going=51)) == [
        "deletes 51 of 100 artifacts, more than 50 %"
    ]
    assert waits(Totals(candidates=100, going=51), share_percent=60) == []


def test_a_run_that_takes_three_times_as_much_as_the_previous_one_waits() -> None:
    assert waits(Totals(candidates=100, going=30), previous=10) == []
    assert waits(Totals(candidates=100, going=31), previous=10) == [
        "deletes 31 artifacts, more than 3 times the 10 of the previous run"
    ]
    assert waits(Totals(candidates=100, going=31), previous=0) == []


def test_a_run_that_takes_last_tags_waits_and_names_some_repositories() -> None:
    totals = Totals()
    for number in range(12):
        totals = totals.adding(
            f"app-{number}", candidates=1000, going=1, empties=True, unselected=number == 3
        )
    names = ", ".join(f"app-{number}" for number in range(10))
    assert (totals.candidates, totals.going) == (12_000, 12)
    assert waits(totals) == [
        f"takes the last tag of {names} and 2 more",
        "deletes everything in app-3, where no rule selects anything",
    ]
