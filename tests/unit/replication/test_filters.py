from __future__ import annotations

import pytest

from protocol.errors import InvalidPattern
from replication.errors import UnsupportedFilter
from replication.filters import UNTAGGED, Selection, expand
from replication.policy import Decoration, Filter, FilterKind


def name(pattern: str, decoration: Decoration = Decoration.MATCHES) -> Filter:
    return Filter(kind=FilterKind.NAME, pattern=pattern, decoration=decoration)


def tag(pattern: str, decoration: Decoration = Decoration.MATCHES) -> Filter:
    return Filter(kind=FilterKind.TAG, pattern=pattern, decoration=decoration)


def test_no_filters_take_everything() -> None:
    selection = Selection.of(())
    assert selection.takes_repository("a/b")
    assert selection.takes_tag("v1")
    assert selection.takes_tag(UNTAGGED)
    assert selection.literal is None


def test_an_empty_pattern_takes_everything() -> None:
    selection = Selection.of((name(""), tag("")))
    assert selection.takes_repository("a/b/c")
    assert selection.takes_tag("latest")
    assert selection.literal is None


def test_all_filters_must_hold() -> None:
    selection = Selection.of((name("library/**"), name("**/al*"), tag("3.*"), tag("*-slim")))
    assert selection.takes_repository("library/alpine")
    assert not selection.takes_repository("library/nginx")
    assert not selection.takes_repository("other/alpine")
    assert selection.takes_tag("3.2-slim")
    assert not selection.takes_tag("3.2")


def test_excludes_keeps_what_does_not_match() -> None:
    selection = Selection.of(
        (tag("v*", Decoration.EXCLUDES), name("secret/**", Decoration.EXCLUDES))
    )
    assert not selection.takes_tag("v1")
    assert selection.takes_tag("latest")
    assert not selection.takes_repository("secret/a")
    assert selection.takes_repository("open/a")


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        (tag("**"), True),
        (tag("*"), True),
        (tag("v*"), False),
        (tag("v*", Decoration.EXCLUDES), True),
        (tag("*", Decoration.EXCLUDES), False),
    ],
)
def test_an_untagged_artifact_is_matched_as_the_empty_string(
    condition: Filter, *, taken: bool
) -> None:
    assert Selection.of((condition,)).takes_tag(UNTAGGED) is taken


def test_a_resource_filter_narrows_nothing() -> None:
    selection = Selection.of((Filter(kind=FilterKind.RESOURCE, pattern="image"),))
    assert selection.takes_repository("a/b")
    assert selection.takes_tag("t")


def test_a_label_filter_is_refused() -> None:
    with pytest.raises(UnsupportedFilter, match="label filter 'prod'"):
        Selection.of((Filter(kind=FilterKind.LABEL, pattern="prod"),))


def test_a_bad_pattern_is_refused() -> None:
    with pytest.raises(InvalidPattern):
        Selection.of([name("a[")])


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("library/alpine", ("library/alpine",)),
        ("library/{alpine,nginx}", ("library/alpine", "library/nginx")),
        ("{a,b}/{c,d}", ("a/c", "a/d", "b/c", "b/d")),
        ("{a,a}/b", ("a/b",)),
        ("a{b,c}d/e", ("abd/e", "acd/e")),
        ("{a}", ("a",)),
        ("", None),
        ("library/*", None),
        ("library/al?ine", None),
        ("library/[ab]", None),
        ("a\\*", None),
        ("{a,{b,c}}", None),
        ("{a,b", None),
        ("a}b", None),
    ],
)
def test_a_pattern_that_spells_names_out_needs_no_catalog(
    pattern: str, names: tuple[str, ...] | None
) -> None:
    assert expand(pattern) == names


def test_more_than_a_thousand_names_are_not_spelled_out() -> None:
    ten = "{0,1,2,3,4,5,6,7,8,9}"
    assert len(expand(ten * 3) or ()) == 1000
    assert expand(ten * 3 + "{0,1}") is None


def test_only_a_matching_name_filter_spells_names_out() -> None:
    assert Selection.of((name("a/b", Decoration.EXCLUDES), tag("c"))).literal is None
    assert Selection.of((name("a/*"), name("a/{b,c}"))).literal == ("a/b", "a/c")
