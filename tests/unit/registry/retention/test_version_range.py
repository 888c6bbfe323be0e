"""Ranges of versions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.retention import version
from registry.retention.version_range import InvalidRange, VersionRange


@pytest.mark.parametrize(
    ("text", "taken", "left"),
    [
        (">=1.2 <2", ["1.2", "1.2.0", "v1.9.9", "1.27-alpine", "2-rc.1"], ["1.1", "2", "1.2-rc"]),
        (">= 1.2, < 2.0.0-0", ["1.2", "1.99"], ["2-rc.1", "2.0.0"]),
        ("1.2", ["1.2", "v1.2.0", "1.2.0+build"], ["1.2.1", "1.2-rc"]),
        ("=1.2.3 || >3", ["1.2.3", "3.0.1"], ["3", "2"]),
        ("<=2", ["2", "2-rc", "0.1"], ["2.0.1"]),
        ("^1.4", ["1.4", "1.99", "1.5-rc"], ["2", "2.0.0-rc.1", "1.3"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.3", "0.2.2"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4"]),
        ("^0.0", ["0.0.9"], ["0.1"]),
        ("^0", ["0.9"], ["1"]),
        ("~1.2.3", ["1.2.3", "1.2.9"], ["1.3", "1.3-rc"]),
        ("~1.2", ["1.2", "1.2.9"], ["1.3"]),
        ("~1", ["1.9"], ["2"]),
        ("~v1.2-rc.1", ["1.2-rc.2", "1.2.5"], ["1.2-rc.0", "1.3"]),
        (">=0", ["0", "1.0_3"], ["latest", "0-rc", ""]),
    ],
)
def test_a_range_takes_versions(text: str, taken: list[str], left: list[str]) -> None:
    found = VersionRange.parse(text)
    assert [name for name in taken if not found.takes(name)] == []
    assert [name for name in left if found.takes(name)] == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "a range is empty"),
        ("1 ||", "a range is empty"),
        ("latest", "'latest' is no comparison"),
        (">=1.x", "'>=1.x' is no comparison"),
        ("!=1", "'!=1' is no comparison"),
        (">=", "'>=' is no comparison"),
        ("1" * 257, "has 257 characters; 256 are allowed"),
    ],
)
def test_what_is_no_range_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidRange) as caught:
        VersionRange.parse(text)
    assert str(caught.value).startswith(problem)


VERSIONS = st.lists(st.integers(0, 3), min_size=1, max_size=4).map(
    lambda numbers: ".".join(map(str, numbers))
)


@given(VERSIONS, VERSIONS)
def test_comparisons_are_those_of_versions(bound: str, name: str) -> None:
    first, second = version.parse(name), version.parse(bound)
    assert first is not None
    assert second is not None
    for sign, holds in (
        ("<", first < second),
        ("<=", first <= second),
        ("=", first == second),
        (">=", first >= second),
        (">", first > second),
    ):
        assert VersionRange.parse(f"{sign}{bound}").takes(name) is holds


@given(VERSIONS, VERSIONS, st.sampled_from("^~"))
def test_what_is_near_a_version_is_not_before_it_and_has_its_first_number(
    bound: str, name: str, sign: str
) -> None:
    near = VersionRange.parse(f"{sign}{bound}")
    assert near.takes(bound)
    if near.takes(name):
        assert name.split(".", maxsplit=1)[0] == bound.split(".", maxsplit=1)[0]
        assert VersionRange.parse(f">={bound}").takes(name)
