from __future__ import annotations

import pytest

from database.errors import BrokenSeal, InvalidKey, WrongKey
from database.sealing import Keyring, generate_key


def test_what_is_sealed_opens_in_its_context_only() -> None:
    keyring = Keyring([generate_key()])
    sealed = keyring.seal(b"hunter2", context="endpoints.secret:7")
    assert b"hunter2" not in sealed
    assert keyring.open(sealed, context="endpoints.secret:7") == b"hunter2"
    with pytest.raises(BrokenSeal):
        keyring.open(sealed, context="endpoints.secret:8")


def test_altered_bytes_do_not_open() -> None:
    keyring = Keyring([generate_key()])
    sealed = bytearray(keyring.seal(b"x", context="c"))
    sealed[-1] ^= 1
    with pytest.raises(BrokenSeal):
        keyring.open(bytes(sealed), context="c")
    with pytest.raises(BrokenSeal):
        keyring.open(b"short", context="c")


def test_an_old_key_still_opens_and_the_first_seals() -> None:
    old, new = generate_key(), generate_key()
    sealed = Keyring([old]).seal(b"x", context="c")
    both = Keyring([new, old])
    assert both.open(sealed, context="c") == b"x"
    assert not both.is_sealed_by_first(sealed)
    assert both.is_sealed_by_first(both.seal(b"x", context="c"))
    with pytest.raises(WrongKey):
        Keyring([new]).open(sealed, context="c")


@pytest.mark.parametrize("keys", [[], [""], ["short"], ["!" * 44]])
def test_what_is_no_key_is_refused(keys: list[str]) -> None:
    with pytest.raises(InvalidKey):
        Keyring(keys)
