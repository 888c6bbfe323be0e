from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from protocol.digest import Digest
from registry.care import backup_manifest
from registry.care.backup_manifest import BackupManifest, FileFacts
from registry.care.errors import BrokenBackup, NotRestorable
from registry.metadata.backups import BlobObject


def manifest(**changed: Any) -> BackupManifest:
    facts: dict[str, Any] = {
        "transship": "1.0",
        "postgres": 17,
        "migration": 15,
        "started_at": "2026-11-26T01:00:00+00:00",
        "finished_at": "2026-11-26T01:01:00+00:00",
        "objects": 2,
        "object_bytes": 30,
        "files": {"database.dump": FileFacts(size_bytes=1, sha256="00")},
        "holes": {"sha256:00": "its bytes are not in the storage"},
    }
    return BackupManifest(**(facts | changed))


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert BackupManifest.parse(manifest().to_json()) == manifest()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "files": []}'])
def test_what_is_no_manifest_is_told(text: str) -> None:
    with pytest.raises(BrokenBackup):
        BackupManifest.parse(text)


def test_a_later_format_is_left_to_later_versions() -> None:
    text = json.dumps(json.loads(manifest().to_json()) | {"format": 2})
    with pytest.raises(NotRestorable, match="newer version"):
        BackupManifest.parse(text)


def test_an_older_backup_is_fine_and_a_newer_one_is_not() -> None:
    backup_manifest.check_versions(manifest(), migration=20, postgres=18)
    with pytest.raises(NotRestorable, match="migration 0015"):
        backup_manifest.check_versions(manifest(), migration=14, postgres=18)
    with pytest.raises(NotRestorable, match="PostgreSQL 17 and this server is 16"):
        backup_manifest.check_versions(manifest(), migration=15, postgres=16)


@pytest.mark.parametrize("path", [None, "old/docker/registry/v2/blobs/with space/data"])
def test_an_object_is_a_line(path: str | None) -> None:
    found = BlobObject(key=uuid.uuid4(), digest=Digest.of(b"x"), size_bytes=1, adopted_path=path)
    assert backup_manifest.parse_line(backup_manifest.line(found)) == found


@pytest.mark.parametrize("text", ["", "00 sha256:00 1 \n", "x y z \n"])
def test_what_is_no_line_is_told(text: str) -> None:
    with pytest.raises(BrokenBackup):
        backup_manifest.parse_line(text)
