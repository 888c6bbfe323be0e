"""What Harbor's tag `gc` lacks: what was deleted, and until when its bytes stay."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from aiohttp import web

from jobservice import collections
from jobservice.api import listing
from jobservice.api.models import gc as models
from jobservice.api.models.base import Nothing
from jobservice.api.querying import FieldType
from jobservice.api.router import API_ROOT, Call, Route
from jobservice.domain.collection import Deleted

TAG = "gc"
ROOT = f"{API_ROOT}/system/gc"
FIELDS: Final = {
    "id": FieldType.INTEGER,
    "repository": FieldType.TEXT,
    "digest": FieldType.TEXT,
    "media_type": FieldType.TEXT,
    "deleted_at": FieldType.TIME,
    "deleted_by": FieldType.TEXT,
    "reason": FieldType.TEXT,
    "until": FieldType.TIME,
}


async def list_deleted(call: Call[Nothing, models.DeletedQuery, Nothing]) -> web.Response:
    """List what was deleted and can be put back, the latest first."""
    asked = listing.asked(call, FIELDS, latest_first=True)
    found = await collections.deleted(call.services.database, asked)
    return listing.answer(call, asked, found, _shown)


def _shown(found: Deleted) -> models.DeletedArtifact:
    return models.DeletedArtifact.model_validate(asdict(found))


ROUTES = (
    Route(
        method="GET",
        path=f"{ROOT}/deleted",
        handler=list_deleted,
        operation_id="listDeletedArtifacts",
        tag=TAG,
        query=models.DeletedQuery,
        response=list[models.DeletedArtifact],
    ),
)
