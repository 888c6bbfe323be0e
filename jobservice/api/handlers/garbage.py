"""What Harbor's tag `gc` lacks: what would go and why, what went, and getting it back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict
from typing import Any, Final

from aiohttp import web

from access.audit import Event
from jobservice import collections
from jobservice.api import answering, listing, report
from jobservice.api.models import gc as models
from jobservice.api.models.base import Nothing
from jobservice.api.querying import FieldType
from jobservice.api.report import Report, Section
from jobservice.api.router import API_ROOT, Call, Route
from jobservice.collections import Forecast
from jobservice.domain.collection import CollectionParameters, Deleted
from registry.collection.restorable import State
from registry.metadata.forecast import Candidate

TAG = "gc"
ROOT = f"{API_ROOT}/system/gc"
FIELDS: Final = {
    "id": FieldType.INTEGER,
    "kind": FieldType.TEXT,
    "repository": FieldType.TEXT,
    "digest": FieldType.TEXT,
    "media_type": FieldType.TEXT,
    "deleted_at": FieldType.TIME,
    "deleted_by": FieldType.TEXT,
    "reason": FieldType.TEXT,
    "until": FieldType.TIME,
}


async def preview(call: Call[Nothing, models.PreviewQuery, Nothing]) -> web.StreamResponse:
    """Show what a collection would take and why; as JSON, as CSV or as a page."""
    asked = CollectionParameters(delete_untagged=call.query.delete_untagged)
    forecast = await collections.forecast(call.services.database, asked)
    form = report.wanted(call.request, call.query.format)
    told = _report(forecast, with_candidates=call.query.candidates)
    return await report.send(call.request, told, form)


def _report(forecast: Forecast, *, with_candidates: bool) -> Report:
    def closing() -> Sequence[Section]:
        return [
            _section(
                "repositories", models.SumByRepository, forecast.by_repository.rows("repository")
            ),
            _section("reasons", models.SumByReason, forecast.by_reason.rows("reason")),
            _section("refused_by_storage", models.RefusedObject, map(asdict, forecast.refusals)),
        ]

    async def pages() -> AsyncGenerator[Sequence[dict[str, Any]], None]:
        async with aclosing(forecast.pages()) as found:
            async for page in found:
                yield [_row(candidate) for candidate in page] if with_candidates else []

    return Report(
        title="What garbage collection would take",
        facts={"reclaimable": asdict(forecast.totals)},
        name="candidates",
        columns=tuple(models.Candidate.model_fields),
        pages=pages(),
        closing=closing,
    )


def _row(candidate: Candidate) -> dict[str, Any]:
    return {**asdict(candidate), "digest": str(candidate.digest)}


def _section(name: str, model: type[Any], rows: Any) -> Section:
    return Section(name=name, columns=tuple(model.model_fields), rows=list(rows))


async def list_deleted(call: Call[Nothing, models.DeletedQuery, Nothing]) -> web.Response:
    """List what was deleted, and whether it can be put back, the latest first."""
    asked = listing.asked(call, FIELDS, latest_first=True, by="deleted_at")
    found = await collections.deleted(call.services.database, asked)
    return listing.answer(call, asked, found, _shown)


def _shown(found: tuple[Deleted, State]) -> models.DeletedArtifact:
    gone, state = found
    reference = gone.tag or gone.digest
    return models.DeletedArtifact.model_validate(
        {**asdict(gone), "reference": reference, "state": state}
    )


async def undelete(call: Call[Nothing, Nothing, models.Undeletion]) -> web.Response:
    """Put back what was deleted, with its children, its referrers and its tags."""
    back = await collections.undelete(
        call.services.database,
        call.body.repository,
        call.body.reference,
        by=call.principal.username,
    )
    return answering.json(
        models.Undeleted(
            digests=[str(digest) for digest in back.digests],
            tags=list(back.tags),
            taken=list(back.taken),
            left=[str(digest) for digest in back.left],
        )
    )


ROUTES = (
    Route(
        method="GET",
        path=f"{ROOT}/preview",
        handler=preview,
        operation_id="previewGC",
        tag=TAG,
        query=models.PreviewQuery,
        response=models.CollectionPreview,
        other_media_types=(report.CSV, report.HTML),
    ),
    Route(
        method="GET",
        path=f"{ROOT}/deleted",
        handler=list_deleted,
        operation_id="listDeletedArtifacts",
        tag=TAG,
        query=models.DeletedQuery,
        response=list[models.DeletedArtifact],
    ),
    Route(
        method="POST",
        path=f"{ROOT}/undelete",
        handler=undelete,
        operation_id="undeleteArtifact",
        tag=TAG,
        body=models.Undeletion,
        response=models.Undeleted,
        errors=(404, 412),
        event=Event.UNDELETE_ARTIFACT,
    ),
)
