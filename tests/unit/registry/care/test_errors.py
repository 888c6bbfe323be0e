from __future__ import annotations

from registry.care import errors


def test_the_tree_at_the_top_draws_every_error_of_care() -> None:
    lines = (errors.__doc__ or "").splitlines()
    drawn = [line.split()[1] for line in lines if line.startswith(("├──", "└──"))]
    assert drawn == [error.__name__ for error in errors.CareError.__subclasses__()]
