"""Garbage collections in Harbor's shape (its tag `gc`), and what Harbor does not tell of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from jobservice.api.models.base import Id, OwnModel, OwnPaging, OwnQuery
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


class PreviewQuery(OwnQuery):
    """GET /system/gc/preview: for which run, in which form, with or without every candidate."""

    delete_untagged: bool = False
    candidates: bool = True
    format: Literal["json", "csv", "html"] | None = None


class Candidate(BaseModel):
    """A manifest or a blob that would go; a blob names one repository that has it, if any."""

    kind: str
    repository: str
    digest: str
    tags: list[str]
    bytes: int
    reason: str


class SumByRepository(BaseModel):
    """What would go from a repository."""

    repository: str
    count: int
    bytes: int


class SumByReason(BaseModel):
    """What would go for a reason."""

    reason: str
    count: int
    bytes: int


class RefusedObject(BaseModel):
    """An object that the storage would not delete, with its words."""

    object: str
    bytes: int
    attempts: int
    words: str
    again_at: datetime


class CollectionPreview(BaseModel):
    """What a collection would take, and why."""

    reclaimable: Reclaimable
    candidates: list[Candidate]
    repositories: list[SumByRepository]
    reasons: list[SumByReason]
    refused_by_storage: list[RefusedObject]


class DeletedQuery(OwnPaging):
    """GET /system/gc/deleted."""

    q: str | None = None
    sort: str | None = None


class DeletedArtifact(BaseModel):
    """A manifest that was deleted with its tags, or a tag that was deleted alone.

    `reference` is what undeleting asks for. `state`: `deleted` can be put back until its window
    ends, `returned` is here again, `released` cannot come back: bytes that it needs are gone.
    """

    id: int
    kind: Literal["manifest", "tag"]
    repository: str
    reference: str
    digest: str
    media_type: str | None = None
    artifact_type: str | None = None
    tags: list[str]
    size_bytes: int | None = None
    pushed_at: datetime
    deleted_at: datetime
    deleted_by: str
    reason: str
    until: datetime
    state: Literal["deleted", "returned", "released"]


class Undeletion(OwnModel):
    """What to put back: a repository's tag, or its digest."""

    repository: Annotated[str, Field(min_length=1, max_length=512)]
    reference: Annotated[str, Field(min_length=1, max_length=512)]


class Undeleted(BaseModel):
    """What is back. `taken` are tags that lead elsewhere by now, `left` what cannot come along."""

    digests: list[str]
    tags: list[str]
    taken: list[str]
    left: list[str]
