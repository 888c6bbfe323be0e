from __future__ import annotations

from jobservice.domain.listing import Cursor, Listing, Order

BY_ID = Order(field="id", descending=True)
BY_NAME = Order(field="name", descending=True)


def test_pages_count_from_one() -> None:
    assert Listing().offset == 0
    assert Listing(page=3, page_size=20).offset == 40


def test_a_page_at_a_cursor_skips_nothing() -> None:
    assert Listing(page=3, cursor=Cursor(key=(7,))).offset == 0


def test_every_order_ends_with_the_id() -> None:
    assert Listing().keys == (Order(field="id"),)
    assert Listing(order=(BY_NAME,)).keys == (BY_NAME, BY_ID)
    assert Listing(order=(BY_ID, BY_NAME)).keys == (BY_ID,)
