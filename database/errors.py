"""Every error of this package, as one tree.

DatabaseError
├── DatabaseUnavailable      Postgres did not answer within the patience
├── DatabaseRefused          Postgres answers and lets nobody in: name, password or database
├── PoolerRefused            a transaction pooler stands in front of Postgres
├── DumpFailed               pg_dump, pg_restore or psql ended badly; its words are in the message
├── MigrationError
│   ├── MigrationChanged     a file that was applied reads differently now
│   └── MigrationMissing     an older file than the newest applied one was never applied
└── SealError
    ├── InvalidKey           not a key that `generate_key` could have made
    ├── WrongKey             the keys at hand did not seal this installation's secrets
    └── BrokenSeal           sealed bytes that were altered or moved elsewhere
"""

from __future__ import annotations


class DatabaseError(Exception):
    """The root of what this package raises."""


class DatabaseUnavailable(DatabaseError):
    """Postgres could not be reached."""


class DatabaseRefused(DatabaseError):
    """Postgres is there; the DSN is wrong."""


class PoolerRefused(DatabaseError):
    """Session state does not survive between transactions."""


class DumpFailed(DatabaseError):
    """One of PostgreSQL's programs could not dump or restore."""


class MigrationError(DatabaseError):
    """The schema cannot be brought up to date."""


class MigrationChanged(MigrationError):
    """An applied file's checksum differs."""


class MigrationMissing(MigrationError):
    """The sequence of files and what was applied do not fit."""


class SealError(DatabaseError):
    """A secret cannot be sealed or opened."""


class InvalidKey(SealError):
    """The text is no key."""


class WrongKey(SealError):
    """None of the keys opens it."""


class BrokenSeal(SealError):
    """The key is known, the bytes or their context are not what was sealed."""
