"""Purges of the audit log in Harbor's shape (its tag `purge`)."""

from __future__ import annotations

from pydantic import BaseModel

from jobservice.api.models.base import Id


class PurgeById(BaseModel):
    """A path with a purge's id."""

    purge_id: Id
