from __future__ import annotations

import pytest

from registry.retention import expiry

DAY = 86_400


@pytest.mark.parametrize(
    ("said", "expires"),
    [
        ({}, None),
        ({"quay.expires-after": "2d"}, 1000 + 2 * DAY),
        ({"transship.expires-after": "12h"}, 1000 + DAY // 2),
        ({"transship.expires-after": "3w", "quay.expires-after": "1d"}, 1000 + DAY),
        ({"transship.expires-at": "1970-01-02T00:00:00Z"}, DAY),
        ({"transship.expires-at": "1970-01-02T01:00:00+01:00"}, DAY),
        ({"transship.expires-at": "1970-01-02T00:00:00"}, DAY),
        ({"transship.expires-at": "1970-01-02T00:00:00Z", "quay.expires-after": "1s"}, 1001),
        ({"transship.expires-at": "soon"}, None),
        ({"quay.expires-after": "never"}, None),
        ({"quay.expires-after": "-3d"}, None),
        ({"quay.expires-after": "9999999999d"}, None),
    ],
)
def test_an_artifact_says_when_it_expires(said: dict[str, str], expires: float | None) -> None:
    assert expiry.expires(said, 1000) == expires


def test_a_time_since_the_push_needs_the_push() -> None:
    assert expiry.expires({"quay.expires-after": "2d"}, None) is None
    assert expiry.expires({"transship.expires-at": "1970-01-02T00:00:00Z"}, None) == DAY
