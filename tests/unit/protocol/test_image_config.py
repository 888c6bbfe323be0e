"""What is read of an image's config."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import image_config
from protocol.errors import InvalidConfig
from protocol.image_config import ImageConfig


def read(document: Any) -> ImageConfig:
    return ImageConfig.parse(json.dumps(document).encode())


def test_labels_and_platform_are_read() -> None:
    found = read(
        {
            "os": "linux",
            "architecture": "arm64",
            "variant": "v8",
            "config": {"Labels": {"quay.expires-after": "2w", "empty": ""}, "Cmd": ["sh"]},
        }
    )
    assert found.labels == {"quay.expires-after": "2w", "empty": ""}
    assert str(found.platform) == "linux/arm64/v8"


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"config": None},
        {"config": []},
        {"config": {"Labels": None}},
        {"config": {"Labels": ["a"]}},
        {"os": "linux"},
        {"os": "linux", "architecture": 64},
        {"os": "", "architecture": "arm64"},
    ],
)
def test_what_says_nothing_has_no_labels_and_no_platform(document: Any) -> None:
    found = read(document)
    assert (dict(found.labels), found.platform) == ({}, None)


def test_what_cannot_be_kept_is_left_out() -> None:
    labels = {
        "number": 7,
        "nul": "a\0b",
        "half": "\ud800",
        "\0": "nul",
        "k" * (image_config.KEY_LENGTH + 1): "long",
        "long": "v" * (image_config.VALUE_LENGTH + 1),
        "good": "v" * image_config.VALUE_LENGTH,
    }
    assert set(read({"config": {"Labels": labels}}).labels) == {"good"}
    many = {str(number): "" for number in range(image_config.LABELS_LIMIT + 1)}
    assert len(read({"config": {"Labels": many}}).labels) == image_config.LABELS_LIMIT


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b'{"a":' * 50_000, "is not JSON"),
        (b"[" + b"{}," * 60_000 + b"{}]", "holds more than 100000 values"),
        (b" " * (image_config.LIMIT_BYTES + 1), "has 1048577 bytes, more than 1048576"),
    ],
)
def test_what_is_no_config_is_refused_with_the_reason(body: bytes, problem: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        ImageConfig.parse(body)
    assert str(caught.value) == problem


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["config", "Labels", "os", "architecture", "x"]), inner)
    ),
    max_leaves=10,
)


@given(JSON)
def test_whatever_a_config_holds_is_read_or_refused(document: Any) -> None:
    if isinstance(document, dict):
        found = read(document)
        assert all(isinstance(value, str) for value in found.labels.values())
    else:
        with pytest.raises(InvalidConfig):
            read(document)
