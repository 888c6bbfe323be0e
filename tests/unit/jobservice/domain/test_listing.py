from __future__ import annotations

from jobservice.domain.listing import Listing


def test_pages_count_from_one() -> None:
    assert Listing().offset == 0
    assert Listing(page=3, page_size=20).offset == 40
