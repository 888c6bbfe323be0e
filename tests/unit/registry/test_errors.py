from __future__ import annotations

from protocol.errors import NotFound
from registry import errors


def test_a_code_has_one_status_and_one_error() -> None:
    refused = errors.refusal("BLOB_UNKNOWN", "no such blob", operation="read", repository="a/b")
    assert isinstance(refused, NotFound)
    assert refused.status == errors.status_of("BLOB_UNKNOWN") == 404


def test_several_messages_are_several_faults() -> None:
    refused = errors.refusal("MANIFEST_INVALID", ["no config", "no layers"], operation="push")
    assert [fault.message for fault in refused.faults] == ["no config", "no layers"]
    assert {fault.code for fault in refused.faults} == {"MANIFEST_INVALID"}
