"""Expressions about annotations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import InvalidPattern
from registry.retention.annotation import AnnotationExpression, InvalidAnnotation

SOURCE = {"source": "https://example.com/acme/app", "empty": "", "stage": "dev"}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("stage", True),
        ("empty", True),
        ("other", False),
        ("!stage", False),
        ("!other", True),
        ("stage=dev", True),
        ("stage=d*", True),
        ("stage=prod", False),
        ("other=*", False),
        ("stage!=prod", True),
        ("stage!=dev", False),
        ("other!=dev", True),
        ("source=https://example.com/acme/*", True),
        ("source=https://example.com/*", False),
        ("source=https://**", True),
        ("stage={dev,test}", True),
    ],
)
def test_an_expression_holds_or_not(text: str, *, holds: bool) -> None:
    assert AnnotationExpression.parse(text).holds(SOURCE) is holds


@pytest.mark.parametrize("text", ["", "=x", "a b", "key=", "!key=x", "!!key", "k" * 1025, "a!b"])
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(InvalidAnnotation, match="is not key, !key, key=glob or key!=glob"):
        AnnotationExpression.parse(text)


def test_a_glob_that_cannot_be_read_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidPattern, match="character 2"):
        AnnotationExpression.parse("key=a[")


KEYS = st.sampled_from(["a", "b", "org.example/c"])
VALUES = st.sampled_from(["x", "y", "x/y"])


@given(st.dictionaries(KEYS, VALUES), KEYS, VALUES)
def test_a_negated_expression_holds_where_the_other_does_not(
    said: dict[str, str], key: str, value: str
) -> None:
    for one, other in ((key, f"!{key}"), (f"{key}={value}", f"{key}!={value}")):
        first, second = map(AnnotationExpression.parse, (one, other))
        assert first.holds(said) is not second.holds(said)
