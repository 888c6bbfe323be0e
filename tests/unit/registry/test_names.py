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


def test_a_tag_that_is_none_is_refused() -> None:
    names.check_tag("3.20")
    with pytest.raises(Rejected) as caught:
        names.check_tag("-3")
    assert caught.value.faults[0].code == "TAG_INVALID"


def test_a_missing_project_comes_with_the_command_that_makes_it() -> None:
    assert "`transship project create apps`" in str(names.project_unknown("apps", "apps/web"))
