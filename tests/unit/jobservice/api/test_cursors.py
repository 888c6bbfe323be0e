from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobservice.api import cursors
from jobservice.api.querying import FieldType
from jobservice.domain.listing import Cursor, Listing, Order
from jobservice.errors import InvalidRequest

FIELDS = {"name": FieldType.TEXT, "at": FieldType.TIME, "on": FieldType.BOOLEAN}
KEYS = Listing(
    order=(Order(field="name"), Order(field="at", descending=True), Order(field="on"))
).keys


@given(
    name=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    at=st.datetimes(timezones=st.just(UTC)),
    on=st.booleans(),
    identity=st.integers(0, 2**63 - 1),
    backwards=st.booleans(),
)
def test_a_cursor_is_read_back(
    *, name: str, at: datetime, on: bool, identity: int, backwards: bool
) -> None:
    cursor = Cursor(key=(name, at, on, identity), backwards=backwards)
    assert cursors.read(cursors.write(KEYS, cursor), KEYS, FIELDS) == cursor


def word(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "bad",
    [
        "x",
        "é",
        word("[" * 3000),
        word('["-id", false, [7]]'),
        word('["id", 1, [7]]'),
        word('["id", false, []]'),
        word('["id", false, ["1; DROP TABLE tasks"]]'),
        word('["id", false, [9223372036854775808]]'),
        word('["id", false, null]'),
        word('{"id": 1}'),
        word("7"),
    ],
)
def test_what_is_no_cursor_of_this_list_is_refused(bad: str) -> None:
    with pytest.raises(InvalidRequest, match="begin at the first page"):
        cursors.read(bad, Listing().keys, {})


def test_text_that_postgres_cannot_hold_is_refused() -> None:
    keys = Listing(order=(Order(field="name"),)).keys
    with pytest.raises(InvalidRequest):
        cursors.read(word('["name,id", false, ["a\\u0000", 1]]'), keys, FIELDS)
