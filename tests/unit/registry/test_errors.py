from __future__ import annotations

from uuid import UUID

import pytest

from protocol.errors import NotFound
from registry import errors
from registry.stored_object import StoredObject


def test_a_code_has_one_status_and_one_error() -> None:
    refused = errors.refusal("BLOB_UNKNOWN", "no such blob", operation="read", repository="a/b")
    assert isinstance(refused, NotFound)
    assert refused.status == errors.status_of("BLOB_UNKNOWN") == 404


def test_several_messages_are_several_faults() -> None:
    refused = errors.refusal("MANIFEST_INVALID", ["no config", "no layers"], operation="push")
    assert [fault.message for fault in refused.faults] == ["no config", "no layers"]
    assert {fault.code for fault in refused.faults} == {"MANIFEST_INVALID"}


@pytest.mark.parametrize("error", errors.RegistryStorageError.__subclasses__())
def test_every_error_of_a_storage_has_a_code(error: type[errors.RegistryStorageError]) -> None:
    assert errors.code_of(error("text")) in errors.CODES


def test_an_object_is_named_by_its_key_or_where_it_was_adopted() -> None:
    key = UUID(int=1)
    assert StoredObject(key) != StoredObject(key, "docker/registry/v2/blobs/data")
