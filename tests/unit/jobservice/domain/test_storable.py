"""Text as Postgres can hold it."""

from __future__ import annotations

import pytest

from jobservice.domain import storable


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("plain", "plain"),
        ("größer", "größer"),
        ("a\x00b", "a\N{REPLACEMENT CHARACTER}b"),
        ("a\ud800b", "a\N{REPLACEMENT CHARACTER}b"),
    ],
)
def test_what_postgres_refuses_is_replaced(given: str, kept: str) -> None:
    assert storable.text(given) == kept


def test_a_document_is_storable_at_every_depth() -> None:
    given = {"a\x00": ["x\x00", ("y", 1, None)], "n": {"m": 1.5}, "s": True}
    assert storable.document(given) == {
        "a\N{REPLACEMENT CHARACTER}": ["x\N{REPLACEMENT CHARACTER}", ["y", 1, None]],
        "n": {"m": 1.5},
        "s": True,
    }
