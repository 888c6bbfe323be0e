from __future__ import annotations

from jobservice.domain.retention_tally import NAMED, Gone, Tally


def gone(number: int, *tags: str) -> Gone:
    return Gone(digest=f"sha256:{number:064x}", tags=tags, size_bytes=10)


def test_nothing_was_done_without_a_checkpoint() -> None:
    assert Tally.of(None) == Tally()
    assert Tally().is_empty


def test_a_tally_is_read_as_it_was_written() -> None:
    tag = Gone(digest=gone(3).digest, tags=("v3",), size_bytes=10, is_tag=True)
    tally = Tally().plus([gone(1, "v1", "latest"), gone(2), tag])
    assert Tally.of(tally.to_json()) == tally
    assert (tally.deleted, tally.untagged, tally.deleted_bytes) == (2, 1, 20)
    assert tally.named == ("v1", gone(2).digest, "v3")
    assert not tally.is_empty


def test_everything_is_counted_and_the_first_are_named() -> None:
    tally = Tally()
    for number in range(NAMED + 5):
        tally = tally.plus([gone(number)])
    assert (tally.deleted, len(tally.named)) == (NAMED + 5, NAMED)
