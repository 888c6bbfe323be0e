import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.digest import Algorithm, Digest, is_digest
from protocol.errors import DigestMismatch, InvalidDigest

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_text_and_digest_are_the_same_thing() -> None:
    assert str(Digest.parse(EMPTY)) == EMPTY


@given(content=st.binary(max_size=300), algorithm=st.sampled_from(Algorithm))
def test_the_digest_of_bytes_is_hashlibs(content: bytes, algorithm: Algorithm) -> None:
    digest = Digest.of(content, algorithm)
    assert digest.encoded == hashlib.new(algorithm, content).hexdigest()
    assert Digest.parse(str(digest)) == digest


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected algorithm:hex"),
        ("latest", "expected algorithm:hex"),
        ("md5:d41d8cd98f00b204e9800998ecf8427e", "'md5' is not supported"),
        (EMPTY[:-1], "wrong length"),
        (EMPTY + "0", "wrong length"),
        (EMPTY.upper().replace("SHA", "sha"), "not lower-case hex"),
        (EMPTY + "\n", "wrong length"),
        ("sha512:" + "0" * 64, "no sha512 digest"),
    ],
)
def test_what_is_no_digest_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidDigest, match=reason):
        Digest.parse(text)


def test_other_bytes_do_not_pass_for_these() -> None:
    digest = Digest.of(b"hello")
    digest.verify(b"hello")
    with pytest.raises(DigestMismatch) as raised:
        digest.verify(b"hell0")
    assert raised.value.expected == str(digest)
    assert raised.value.actual == str(Digest.of(b"hell0"))


def test_a_tag_is_no_digest() -> None:
    assert is_digest(EMPTY)
    assert not is_digest("v1.0")
