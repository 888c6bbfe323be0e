"""Purges of the audit log in Harbor's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jobservice.api.harbor import upkeep
from jobservice.api.models import upkeep as models
from jobservice.domain import purge as domain
from jobservice.domain.purge import PurgeParameters
from jobservice.upkeep import Parameters, UpkeepRun

KNOWN: Final = (domain.RETENTION, domain.EVENT_TYPES, domain.OPERATIONS, domain.DRY_RUN)


def run(found: UpkeepRun) -> models.ExecHistory:
    """Show a purge."""
    return upkeep.run(found.execution, found.parameters)


def problems(body: models.Schedule) -> Iterator[str]:
    """Yield what is wrong with what is to go, a sentence each."""
    return domain.problems(body.parameters or {})


def parameters(body: models.Schedule) -> Parameters:
    """Read what is to go, in which `problems` found nothing."""
    return PurgeParameters.of(body.parameters or {}).to_json()
