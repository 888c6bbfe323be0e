from __future__ import annotations

import pytest

from access import errors


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (errors.ProjectExists("apps"), "exists already"),
        (errors.ProjectNotFound("apps"), "does not exist"),
        (errors.ProjectNotEmpty("apps"), "delete them before"),
    ],
)
def test_what_is_wrong_with_a_project_names_it(
    error: errors.ProjectExists | errors.ProjectNotFound | errors.ProjectNotEmpty, says: str
) -> None:
    assert error.name == "apps"
    assert "'apps'" in str(error)
    assert says in str(error)
