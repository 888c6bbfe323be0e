from __future__ import annotations

import pytest

from registry.retention import version

# https://semver.org, item 11, and what tags look like.
RISING = [
    "0.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
    "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "v1.0.1", "1.9", "1.10-alpine", "1.10", "2", "2.0.0.1",
    "10.0.0+build.7",
]  # fmt: skip


def test_versions_sort_as_semver_says() -> None:
    read = [version.parse(text) for text in RISING]
    assert None not in read
    assert read == sorted(read, key=lambda one: one or ((), 0, ()))
    assert len(set(read)) == len(read)


def test_build_metadata_and_numbers_not_said_do_not_count() -> None:
    assert version.parse("1.2+a") == version.parse("v1.2.0+b") == version.parse("1.2.0.0")


@pytest.mark.parametrize(
    "text", ["", "latest", "v", "1.", "1.2.3.4.5", "1.2_3", "1.2-", "1.2-a..b", "1.2+", "vv1", "-1"]
)
def test_what_is_no_version_has_none(text: str) -> None:
    assert version.parse(text) is None
