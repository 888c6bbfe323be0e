from __future__ import annotations

import pytest

from protocol.digest import Digest
from registry.metadata import digests


@pytest.mark.parametrize("text", ["sha256:" + "ab" * 32, "sha512:" + "0f" * 64])
def test_a_stored_digest_is_read_back(text: str) -> None:
    known = Digest.parse(text)
    stored = digests.encode(known)
    assert len(stored) == 1 + len(known.encoded) // 2
    assert digests.decode(stored) == known
    assert digests.text(stored) == text


def test_the_algorithm_is_part_of_what_is_stored() -> None:
    short, long = (
        digests.encode(Digest.parse(text)) for text in ("sha256:" + "0" * 64, "sha512:" + "0" * 128)
    )
    assert short[:1] != long[:1]
