from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from protocol.client.bodies import Body
from protocol.errors import DigestMismatch, SizeMismatch


async def source(*pieces: bytes, failure: Exception | None = None) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    if failure is not None:
        raise failure


async def test_everything_is_handed_out_in_order() -> None:
    body = Body(source(b"ab", b"", b"cd", b"e"), 5)
    assert await body.collect() == b"abcde"
    assert body.is_sent


async def test_pieces_have_the_wanted_size() -> None:
    body = Body(source(b"abc", b"defgh", b"ij"), 10)
    assert [piece async for piece in body.pieces(4)] == [b"abcd", b"efgh", b"ij"]


async def test_nothing_is_nothing() -> None:
    assert await Body(source(), 0).collect() == b""
    assert [piece async for piece in Body(source(), 0).pieces(4)] == []


async def drained(body: Body, out: list[bytes]) -> None:
    async for piece in body.stream().chunks:
        out += [piece]


@pytest.mark.parametrize(("length", "before"), [(2, []), (4, [b"a"])])
async def test_another_length_is_noticed_before_the_last_piece(
    length: int, before: list[bytes]
) -> None:
    body, out = Body(source(b"a", b"bc"), length), list[bytes]()
    with pytest.raises(SizeMismatch):
        await drained(body, out)
    assert out == before
    assert not body.is_sent


async def test_a_source_that_fails_at_its_end_keeps_the_last_piece_back() -> None:
    failure = DigestMismatch(expected="a", actual="b")
    body, out = Body(source(b"a", b"b", failure=failure), 2), list[bytes]()
    with pytest.raises(DigestMismatch):
        await drained(body, out)
    assert out == [b"a"]
    with pytest.raises(DigestMismatch):
        body.raise_failure()
