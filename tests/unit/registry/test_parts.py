"""Parts of a multipart upload."""

from __future__ import annotations

from registry.storage import parts
from registry.storage.parts import State

TEBIBYTE = 1024**4


def test_ten_thousand_parts_hold_the_largest_object_that_there_is() -> None:
    sizes = [parts.wanted_bytes(number) for number in range(1, parts.MOST + 1)]
    assert sum(sizes) > 5 * TEBIBYTE
    assert sizes == sorted(sizes)
    assert sizes[0] > parts.SMALLEST_BYTES
    assert sizes[-1] <= 5 * 1024**3  # S3's limit for one part


def test_a_state_is_read_as_it_was_written() -> None:
    for tail in (b"", b"line\nline", bytes(range(256))):
        state = State(multipart="id", etags=('"a"', '"b"'), sent_bytes=17, tail=tail)
        assert State.from_bytes(state.to_bytes()) == state
        assert state.size_bytes == 17 + len(tail)
