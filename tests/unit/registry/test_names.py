from __future__ import annotations

import pytest

from protocol.errors import Rejected
from registry import names


def test_the_first_component_is_the_project() -> None:
    assert names.project_of("library/a/b") == "library"


@pytest.mark.parametrize("name", ["app", "", "a/..", "A/b", "a/b/", "a/" + "b" * 254])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(Rejected) as caught:
        names.project_of(name)
    assert caught.value.faults[0].code == "NAME_INVALID"


def test_a_single_component_is_told_what_to_write() -> None:
    with pytest.raises(Rejected, match="for example library/app"):
        names.project_of("app")
