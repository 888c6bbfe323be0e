from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.retention.expression import Expression, InvalidExpression

PATTERNS = [
    r"(.*)-.*-(.*)", r"^([a-z]+)-\d+$", r"(a|ab)(c|bcd)(d*)", r"(a+)+b", r"(?:x|(y))*z?",
    r"[^.]+\.(\d{1,3})\.?", r"(a??)(a*)", r"v?(\d+)\.\d+.*", r"pr-(\d+)(-.*)?", r"(a|b)*?c?",
    r"[]a-c-]+", r"(a{2,})(a{0,2}?)\w*", r"\s|(|b)", "", r"[\d-]{3}", r"[\w.]*", r"a||b",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
@given(name=st.text("abcdxyzv.019-", max_size=12))
def test_a_name_is_taken_apart_as_by_perl(pattern: str, name: str) -> None:
    found = re.fullmatch(pattern, name)
    assert Expression.compile(pattern).match(name) == (found.groups() if found else None)


@pytest.mark.parametrize(
    "pattern", [r"(a+)+b", r"(a|a)*b", r"(.*)*(.*)*(.*)*b", r"((a*)*)*b", r"(a{1,8}){1,8}b"]
)
def test_what_would_explode_ends(pattern: str) -> None:
    expression = Expression.compile(pattern)
    assert expression.match("a" * 128) is None
    assert expression.match("a" * 10 + "b") is not None


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(a", "character 3: a bracket is never closed"),
        ("a)", "character 2: the bracket closes nothing"),
        ("[a", "character 3: a square bracket is never closed"),
        ("[z-a]", "character 5: the range ends before it begins"),
        (r"[a-\d]", "the range ends before it begins"),
        ("*a", "character 1: '*' repeats or anchors nothing; write \\*"),
        ("a$b", "character 2: '$' repeats or anchors nothing"),
        ("a**", "character 3: '*' repeats"),
        (r"(a)\1", "\\1 is not understood"),
        ("a\\", "is not understood"),
        ("(?=a)", "only (?: ) is understood"),
        ("a{", "write \\{ for a brace"),
        ("a{x}", "write \\{ for a brace"),
        ("a{2,1}", "the smaller number first"),
        ("a{999}", "repetitions are at most 128"),
        ("a{0,999}", "repetitions are at most 128"),
        ("a{1000}", "write \\{ for a brace"),
        ("((a{100}){100}){100}", "more than 256 steps"),
        ("(" * 20 + ")" * 20, "nest deeper than 16"),
        ("ä", "ASCII"),
        ("a" * 257, "at most 256"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_place(pattern: str, why: str) -> None:
    with pytest.raises(InvalidExpression, match=re.escape(why)):
        Expression.compile(pattern)


def test_only_ascii_names_are_taken() -> None:
    assert Expression.compile(".").match("ä") is None
    assert Expression.compile("[^a]").match("b") == ()
