"""What a backup says of itself, and whether this program can restore it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, Self
from uuid import UUID

from protocol.digest import Digest
from registry.care.errors import BrokenBackup, NotRestorable
from registry.metadata.backups import BlobObject

FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """A file of the backup as it was written."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupManifest:
    """Written last: a backup without it is unfinished.

    `postgres` is the server's major version, `migration` the number of the newest one, `holes` are
    objects that the storage itself had lost, by digest, with the reason.
    """

    transship: str
    postgres: int
    migration: int
    started_at: str
    finished_at: str
    objects: int
    object_bytes: int
    files: Mapping[str, FileFacts]
    holes: Mapping[str, str]

    def to_json(self) -> str:
        """Return the text of the file."""
        return json.dumps({"format": FORMAT} | asdict(self), indent=2) + "\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `to_json` wrote; raise BrokenBackup, or NotRestorable for a later format."""
        try:
            document = json.loads(text)
            if document.pop("format") != FORMAT:
                raise NotRestorable("the backup was made by a newer version: restore it with that")
            facts = {name: FileFacts(**fact) for name, fact in document.pop("files").items()}
            return cls(files=facts, **document)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BrokenBackup(f"the backup's manifest cannot be read: {error}") from None


def check_versions(manifest: BackupManifest, *, migration: int, postgres: int) -> None:
    """Raise NotRestorable unless this program and this server can take the backup in."""
    if manifest.migration > migration:
        raise NotRestorable(
            f"the backup was made by Transship {manifest.transship} with migration "
            f"{manifest.migration:04d}, and this version ends at {migration:04d}: install that "
            "version or a newer one"
        )
    if manifest.postgres > postgres:
        raise NotRestorable(
            f"the backup is of PostgreSQL {manifest.postgres} and this server is {postgres}: "
            "restore into that version or a newer one"
        )


def line(found: BlobObject) -> str:
    """Return the line of an object in the backup's list: key, digest, size, adopted path."""
    return f"{found.key.hex} {found.digest} {found.size_bytes} {found.adopted_path or ''}\n"


def parse_line(text: str) -> BlobObject:
    """Read what `line` wrote; raise BrokenBackup."""
    try:
        key, digest, size, path = text.rstrip("\n").split(" ", maxsplit=3)
        return BlobObject(
            key=UUID(hex=key),
            digest=Digest.parse(digest),
            size_bytes=int(size),
            adopted_path=path or None,
        )
    except ValueError as error:
        raise BrokenBackup(f"the backup's list of objects cannot be read: {error}") from None
