"""Garbage collections in Harbor's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from jobservice.api.harbor import upkeep
from jobservice.api.models import gc as models
from jobservice.api.models.upkeep import Schedule
from jobservice.domain import collection as domain
from jobservice.domain.collection import Account, CollectionParameters
from jobservice.upkeep import Parameters, UpkeepRun

KNOWN: Final = (domain.DELETE_UNTAGGED, domain.DRY_RUN, domain.WORKERS, domain.OURS)


def problems(body: Schedule) -> Iterator[str]:
    """Yield what is wrong with the parameters, a sentence each."""
    return domain.problems(body.parameters or {}, by_hand=upkeep.kind(body) == upkeep.MANUAL)


def parameters(body: Schedule) -> Parameters:
    """Read the parameters, in which `problems` found nothing."""
    return CollectionParameters.of(body.parameters or {}).to_json()


def run(found: UpkeepRun) -> models.GCHistory:
    """Show a collection; what it freed stands among its parameters, as in Harbor."""
    checkpoint = found.task.checkpoint if found.task else None
    account = Account.of(checkpoint) if checkpoint else None
    freed = _freed(account, CollectionParameters.of(found.parameters)) if account else {}
    shown = upkeep.run(found.execution, {**found.parameters, **freed})
    return models.GCHistory(**shown.model_dump(), transship=_state(found, account))


def _freed(account: Account, asked: CollectionParameters) -> dict[str, int]:
    """Return the three numbers of Harbor's; those of a dry run are what would go."""
    size = account.collected_bytes if asked.dry_run else account.freed_bytes
    return {
        "freed_space": size,
        "purged_blobs": account.blobs,
        "purged_manifests": account.manifests,
    }


def _state(found: UpkeepRun, account: Account | None) -> models.CollectionState:
    execution, task = found.execution, found.task
    told: dict[str, Any] = {
        "start_time": execution.started_at,
        "end_time": execution.ended_at,
        "status_text": execution.status_text or None,
        "error": task.error.message if task and task.error else None,
    }
    if account is None:
        return models.CollectionState(**told)
    return models.CollectionState(
        **told,
        phase=account.phase,
        manifests=account.manifests,
        links=account.links,
        blobs=account.blobs,
        collected_bytes=account.collected_bytes,
        kept=account.kept,
        deleted_objects=account.objects,
        freed_bytes=account.freed_bytes,
        refused_objects=account.refused,
        reclaimable=(
            models.Reclaimable.model_validate(account.reclaimable) if account.reclaimable else None
        ),
    )
