"""What a Range header asks for (RFC 9110, 14.1.2)."""

from __future__ import annotations

import pytest

from registry.http import ranges


@pytest.mark.parametrize(
    ("header", "offset_bytes", "length_bytes"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=2-5", 2, 4),
        ("bytes=5-", 5, 5),
        ("bytes=5-99", 5, 5),
        ("bytes=-3", 7, 3),
        ("bytes=-30", 0, 10),
    ],
)
def test_a_range_is_a_part_of_what_is_there(
    header: str, offset_bytes: int, length_bytes: int
) -> None:
    assert ranges.of(header, 10) == ranges.ByteRange(
        offset_bytes=offset_bytes, length_bytes=length_bytes, is_part=True
    )


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=11-12", "bytes=-0", "bytes=5-2"])
def test_a_range_beyond_the_end_cannot_be_had(header: str) -> None:
    assert ranges.of(header, 10) is None


@pytest.mark.parametrize("header", [None, "", "bytes=-", "lines=1-2", "bytes=0-1,4-5", "bytes=a-b"])
def test_what_is_no_range_of_ours_is_answered_with_everything(header: str | None) -> None:
    assert ranges.of(header, 10) == ranges.ByteRange(offset_bytes=0, length_bytes=10, is_part=False)


def test_nothing_of_an_empty_blob_can_be_had_in_part() -> None:
    assert ranges.of("bytes=0-", 0) is None
    assert ranges.of(None, 0) == ranges.ByteRange(offset_bytes=0, length_bytes=0, is_part=False)
