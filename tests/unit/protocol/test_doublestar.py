import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.doublestar import Pattern
from protocol.errors import InvalidPattern


def matches(pattern: str, name: str) -> bool:
    return Pattern.compile(pattern).matches(name)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        # one segment
        ("", "", True),
        ("", "a", False),
        ("app", "app", True),
        ("app", "App", False),
        ("app", "apps", False),
        ("*", "", True),
        ("*", "app", True),
        ("*", "a/b", False),
        ("v*", "v1.2", True),
        ("v*", "v", True),
        ("*-slim", "3.12-slim", True),
        ("a*b*c", "aXbYbZc", True),
        ("a*b*c", "aXbYbZ", False),
        ("?", "ü", True),
        ("?", "", False),
        ("?", "/", False),
        ("a?c", "a/c", False),
        ("***", "app", True),
        # classes
        ("[abc]", "b", True),
        ("[abc]", "d", False),
        ("v[0-9]", "v7", True),
        ("v[0-9]", "vx", False),
        ("[a-cx-z]", "y", True),
        ("[^a-c]", "d", True),
        ("[^a-c]", "b", False),
        ("[^a]", "/", False),
        ("[!a]", "!", True),
        ("[!a]", "b", False),
        ("[\\]\\-]", "]", True),
        ("[\\]\\-]", "-", True),
        ("[a\\-c]", "b", False),
        ("[^]", "a", True),
        ("[/]", "/", False),
        ("[z-a]", "m", False),
        # escapes
        ("a\\*", "a*", True),
        ("a\\*", "ab", False),
        ("\\{a,b\\}", "{a,b}", True),
        ("a\\/b", "a/b", True),
        ("a,b}c]", "a,b}c]", True),
        # segments
        ("library/*", "library/app", True),
        ("library/*", "library/a/b", False),
        ("library/*", "library/", True),
        ("library/*", "library", False),
        ("*/*", "a/b", True),
        ("a//b", "a//b", True),
        ("a//b", "a/b", False),
        # two stars as a segment
        ("**", "", True),
        ("**", "a/b/c", True),
        ("a/**", "a", False),
        ("a/**", "a/b", True),
        ("a/**", "a/b/c/d", True),
        ("a/**", "ab/c", False),
        ("**/c", "c", True),
        ("**/c", "a/b/c", True),
        ("**/c", "a/bc", False),
        ("**/c", "c/d", False),
        ("a/**/d", "a/d", True),
        ("a/**/d", "a/b/c/d", True),
        ("a/**/d", "a/b/c", False),
        ("**/a/**/b", "x/a/y/a/b", True),
        ("**/**", "a", True),
        ("**/", "a/", True),
        ("**/", "a", False),
        # two stars within a segment are one
        ("a**", "abc", True),
        ("a**", "ab/c", False),
        ("**c", "a/c", False),
        ("a/**c", "a/bc", True),
        ("a/**c", "a/b/c", False),
        # braces
        ("{a,b}", "a", True),
        ("{a,b}", "c", False),
        ("{a}", "a", True),
        ("{}", "", True),
        ("v{1,2}.{0,1}", "v2.1", True),
        ("a{,-slim}", "a", True),
        ("a{,-slim}", "a-slim", True),
        ("{a,b{c,d}}", "bd", True),
        ("{a,b{c,d}}", "b", False),
        ("{team/app,other}/x", "team/app/x", True),
        ("{team/**,other}", "team/a/b", True),
        ("{team/**,other}/x", "team/a/b/x", True),
        ("{team/,other}**", "team/a/b", True),
        ("{team/,other}**", "other/a", False),
        ("a/{**,x}", "a/b", True),
        ("a/{**,x}", "a/b/c", False),
        ("{a*,[b-d]?}", "cx", True),
        ("a*{b,c/d}", "axc/d", True),
        ("a\\,{b\\,c,d}", "a,b,c", True),
    ],
)
def test_patterns_mean_what_harbor_means(pattern: str, name: str, *, expected: bool) -> None:
    assert matches(pattern, name) is expected


@pytest.mark.parametrize(
    ("pattern", "position", "reason"),
    [
        ("a\\", 2, "escapes nothing"),
        ("ab[", 3, "never closed"),
        ("[a", 1, "never closed"),
        ("[^a", 1, "never closed"),
        ("[]a]", 1, "brackets are empty"),
        ("x[-]", 2, "lacks an end"),
        ("[a-]", 1, "lacks an end"),
        ("[-a]", 1, "lacks an end"),
        ("[a-b-c]", 1, "lacks an end"),
        ("[a-", 1, "lacks an end"),
        ("[a\\", 3, "escapes nothing"),
        ("v{1,2", 2, "never closed"),
        ("{a,{b}", 1, "never closed"),
        ("{" * 40, 33, "deeper than 32"),
    ],
)
def test_a_bad_pattern_is_refused_with_its_position(
    pattern: str, position: int, reason: str
) -> None:
    with pytest.raises(InvalidPattern, match=f"character {position}: .*{reason}"):
        Pattern.compile(pattern)


def test_a_pattern_has_a_greatest_length() -> None:
    Pattern.compile("a" * 4096)
    with pytest.raises(InvalidPattern, match="4097 characters"):
        Pattern.compile("a" * 4097)


def test_a_pattern_shows_what_it_was_made_from() -> None:
    assert repr(Pattern.compile("v*")) == "Pattern('v*')"


@pytest.mark.timeout(20)
def test_no_pattern_makes_matching_slow() -> None:
    started = time.process_time()
    nasty = [
        "*a" * 60 + "b",
        "**/" * 60 + "b",
        "{a,aa}" * 60 + "b",
        "{" * 32 + "a*,b" + "}" * 32 + "c",
        "{**/a,*{a/,}*}" * 30 + "b",
    ]
    for text in nasty:
        pattern = Pattern.compile(text)
        assert not pattern.matches("a" * 2000)
        assert not pattern.matches("a/" * 1000)
    assert time.process_time() - started < 10


def test_many_kinds_of_names_do_not_fill_the_memory() -> None:
    pattern = Pattern.compile("**/*x*/[a-f]*")
    tracemalloc.start()
    for number in range(20_000):
        pattern.matches(chr(0x4E00 + number))
    held_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held_bytes < 2 * 1024 * 1024
    assert pattern.matches("a/b/x/c")


@given(st.text(alphabet="ab/*?[]^-{},\\", max_size=12), st.text(alphabet="ab/-", max_size=8))
def test_any_text_is_a_pattern_or_refused(text: str, name: str) -> None:
    try:
        pattern = Pattern.compile(text)
    except InvalidPattern:
        return
    assert pattern.matches(name) is pattern.matches(name)


@given(st.text(alphabet="abc/._-{}*?[]", max_size=20))
def test_an_escaped_name_matches_itself_and_nothing_else(name: str) -> None:
    pattern = Pattern.compile("".join(f"\\{character}" for character in name))
    assert pattern.matches(name)
    assert not pattern.matches(name + "x")


SEGMENT = st.text(alphabet="ab", min_size=1, max_size=3)


@given(st.lists(SEGMENT, min_size=1, max_size=4), st.lists(SEGMENT, max_size=4))
def test_two_stars_match_any_number_of_segments(head: list[str], tail: list[str]) -> None:
    name = "/".join(head + tail)
    assert matches("/".join([*head, "**"]), name) is bool(tail)
    assert matches("/".join(["**", *head]), "/".join(tail + head))
