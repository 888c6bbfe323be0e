"""The name of an object in the storage."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object that was published under `key`.

    `adopted_path` is set only for what another registry wrote and is read where it lies in the
    same bucket; folders use links instead.
    """

    key: UUID
    adopted_path: str | None = None
