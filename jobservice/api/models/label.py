"""Labels in Harbor's shape (its tag `label`, and two operations of `artifact`)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from urllib.parse import unquote

from pydantic import BaseModel, BeforeValidator

from jobservice.api.models.base import HarborModel, Id, LinkedPaging


class Label(HarborModel):
    """A label; its scope is g (everybody's) or p (a project's)."""

    id: Id | None = None
    name: str | None = None
    description: str | None = None
    color: str | None = None
    scope: str | None = None
    project_id: Id | None = None
    creation_time: datetime | None = None
    update_time: datetime | None = None


class LabelListQuery(LinkedPaging):
    """GET /labels; Harbor wants the scope, and with p the project."""

    q: str | None = None
    sort: str | None = None
    name: str | None = None
    scope: str | None = None
    project_id: Id | None = None


class LabelPath(BaseModel):
    """One label."""

    label_id: Id


class ArtifactPath(BaseModel):
    """An artifact by tag or digest; Harbor has the repository's name encoded twice."""

    project_name: str
    repository_name: Annotated[str, BeforeValidator(unquote)]
    reference: str


class ArtifactLabelPath(ArtifactPath):
    """A label of an artifact."""

    label_id: Id
