"""How much uploads gather."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from registry.portions import ALL_UPLOADS_BYTES, PIECE_BYTES, Portions


@pytest.mark.parametrize("uploads", [0, 1, 8])
def test_a_few_uploads_gather_a_whole_piece_each(uploads: int) -> None:
    portions = Portions()
    with ExitStack() as receiving:
        for _ in range(uploads):
            receiving.enter_context(portions.upload())
        assert portions.portion_bytes == PIECE_BYTES


def test_many_uploads_share_what_all_may_gather() -> None:
    portions = Portions()
    with ExitStack() as receiving:
        for _ in range(2000):
            receiving.enter_context(portions.upload())
        assert 0 < portions.portion_bytes <= ALL_UPLOADS_BYTES / 2000
    assert portions.portion_bytes == PIECE_BYTES
