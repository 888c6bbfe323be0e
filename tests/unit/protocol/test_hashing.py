import dataclasses
import hashlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.digest import Algorithm
from protocol.errors import HashStateUnavailable
from protocol.hashing import Hasher, HashState, usable_library

ALGORITHMS = pytest.mark.parametrize("algorithm", list(Algorithm))


@given(chunks=st.lists(st.binary(max_size=300), max_size=8), algorithm=st.sampled_from(Algorithm))
def test_a_hash_that_paused_after_every_chunk_is_the_whole_ones(
    chunks: list[bytes], algorithm: Algorithm
) -> None:
    hasher = Hasher(algorithm)
    for chunk in chunks:
        hasher.update(chunk)
        hasher = Hasher.restore(HashState.from_bytes(hasher.save().to_bytes()))
    whole = b"".join(chunks)
    assert hasher.digest().encoded == hashlib.new(algorithm, whole).hexdigest()
    assert hasher.bytes_hashed == len(whole)


@ALGORITHMS
def test_asking_for_the_digest_does_not_end_the_hash(algorithm: Algorithm) -> None:
    hasher = Hasher(algorithm)
    hasher.update(b"one")
    assert hasher.digest().encoded == hashlib.new(algorithm, b"one").hexdigest()
    hasher.update(memoryview(b"two"))
    hasher.update(bytearray(b"three"))
    assert hasher.digest().encoded == hashlib.new(algorithm, b"onetwothree").hexdigest()


@ALGORITHMS
def test_another_process_takes_the_hash_up(algorithm: Algorithm) -> None:
    hasher = Hasher(algorithm)
    hasher.update(b"first half, ")
    saved = hasher.save().to_bytes().hex()
    program = (
        "from protocol.hashing import Hasher, HashState;"
        f"h = Hasher.restore(HashState.from_bytes(bytes.fromhex('{saved}')));"
        "h.update(b'second half'); print(h.digest())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    expected = hashlib.new(algorithm, b"first half, second half").hexdigest()
    assert ended.stdout.strip() == f"{algorithm}:{expected}"


@ALGORITHMS
def test_without_libcrypto_hashing_works_and_saving_says_why_not(algorithm: Algorithm) -> None:
    hasher = Hasher(algorithm, native=False)
    hasher.update(b"bytes")
    assert hasher.digest().encoded == hashlib.new(algorithm, b"bytes").hexdigest()
    with pytest.raises(HashStateUnavailable, match="no libcrypto that saves"):
        hasher.save()
    with pytest.raises(HashStateUnavailable, match="no libcrypto that restores"):
        Hasher.restore(Hasher(algorithm).save(), native=False)


@pytest.mark.parametrize(
    "stored", [b"", b"rubbish", b"1 md5 little 0\n", b"1 sha256 little x\n", b"\xff\xfe\n"]
)
def test_bytes_that_are_no_state_are_refused(stored: bytes) -> None:
    with pytest.raises(HashStateUnavailable, match="no hash state"):
        HashState.from_bytes(stored)


def test_a_state_of_a_later_version_is_refused() -> None:
    with pytest.raises(HashStateUnavailable, match="unknown version '2'"):
        HashState.from_bytes(b"2 sha256 little 0\n")


@ALGORITHMS
def test_a_state_that_would_write_beyond_its_block_is_refused(algorithm: Algorithm) -> None:
    hasher = Hasher(algorithm)
    hasher.update(b"x" * 200)
    state = hasher.save()
    damaged = bytearray(state.context)
    damaged[-8:-4] = (10_000).to_bytes(4, sys.byteorder)
    with pytest.raises(HashStateUnavailable, match="damaged"):
        Hasher.restore(dataclasses.replace(state, context=bytes(damaged)))
    with pytest.raises(HashStateUnavailable, match="damaged"):
        Hasher.restore(dataclasses.replace(state, bytes_hashed=201))


def test_a_state_from_a_machine_of_the_other_byte_order_is_refused() -> None:
    state = Hasher(Algorithm.SHA256).save()
    with pytest.raises(HashStateUnavailable, match="another platform"):
        Hasher.restore(dataclasses.replace(state, byte_order="middle"))
    with pytest.raises(HashStateUnavailable, match="another platform"):
        Hasher.restore(dataclasses.replace(state, context=b"short"))


def test_a_library_without_sha2_or_not_there_at_all_is_not_used() -> None:
    assert usable_library("libnothing-of-this-name.so") is None
    assert usable_library("libc.so.6") is None
