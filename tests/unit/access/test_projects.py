from __future__ import annotations

import pytest

from access.errors import InvalidProjectName
from access.projects import check_name


@pytest.mark.parametrize("name", ["a", "library", "my-team", "a.b_c--d__e", "x" * 255])
def test_a_project_name_follows_harbors_grammar(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a..b", "a/b", "a___b", "ü", "x" * 256])
def test_other_names_are_refused_with_the_rule(name: str) -> None:
    with pytest.raises(InvalidProjectName, match=r"project name"):
        check_name(name)
