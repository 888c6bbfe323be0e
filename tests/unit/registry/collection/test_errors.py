"""Why something cannot come back."""

from __future__ import annotations

from registry.collection.errors import BytesGone, UndeleteError


def test_what_is_missing_is_named() -> None:
    error: UndeleteError = BytesGone("gone", missing=("sha256:0",))
    assert isinstance(error, BytesGone)
    assert (str(error), error.missing) == ("gone", ("sha256:0",))
