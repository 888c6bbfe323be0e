"""Garbage collections in Harbor's shape (its tag `gc`), and what Harbor does not tell of them."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from jobservice.api.models.base import Id, OwnPaging
from jobservice.api.models.upkeep import ExecHistory


class Amount(BaseModel):
    """Objects and their bytes."""

    objects: int
    bytes: int


class Reclaimable(BaseModel):
    """What could be freed: by the next sweep, and when the window of what is deleted has passed.

    `failed` is the part that the storage would not delete before; `unreviewed` are blobs that no
    manifest needs and that wait for their review.
    """

    now: Amount
    failed: Amount
    after_window: Amount
    unreviewed: Amount


class CollectionState(BaseModel):
    """How far a collection is, or what it came to. A dry run counts what would go."""

    phase: str | None = None
    started_by: str | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    status_text: str | None = None
    error: str | None = None
    manifests: int | None = None
    links: int | None = None
    blobs: int | None = None
    collected_bytes: int | None = None
    kept: int | None = None
    deleted_objects: int | None = None
    freed_bytes: int | None = None
    refused_objects: int | None = None
    reclaimable: Reclaimable | None = None


class GCHistory(ExecHistory):
    """A collection, or the schedule of collections."""

    transship: CollectionState | None = None


class GcById(BaseModel):
    """A path with a collection's id."""

    gc_id: Id


class DeletedQuery(OwnPaging):
    """GET /system/gc/deleted."""

    q: str | None = None
    sort: str | None = None


class DeletedArtifact(BaseModel):
    """A manifest that is gone and can be put back until its window ends."""

    id: int
    repository: str
    digest: str
    media_type: str
    artifact_type: str | None = None
    tags: list[str]
    size_bytes: int
    pushed_at: datetime
    deleted_at: datetime
    deleted_by: str
    reason: str
    until: datetime
