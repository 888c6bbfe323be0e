"""Immutable tag rules in Harbor's shape (its tag `immutable`)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from jobservice.api.models.base import HarborModel, Id, LinkedPaging
from jobservice.api.models.project import ProjectPath


class ImmutableSelector(HarborModel):
    """A condition on the name of a repository or a tag."""

    kind: str | None = None
    decoration: str | None = None
    pattern: str | None = None
    extras: str | None = None


class ImmutableRule(HarborModel):
    """A rule; of the selectors of tags and of repositories the first counts, as in Harbor."""

    id: int | None = None
    priority: Annotated[int, Field(ge=-(2**31), lt=2**31)] | None = None
    disabled: bool | None = None
    action: str | None = None
    template: str | None = None
    params: dict[str, dict[str, Any]] | None = None
    tag_selectors: list[ImmutableSelector] | None = None
    scope_selectors: dict[str, list[ImmutableSelector]] | None = None


class ImmutableReach(BaseModel):
    """How many tags a rule takes, in how many repositories it is in force, of how many in all."""

    tags: int
    repositories: int
    repositories_in_all: int


class ImmutableRuleListQuery(LinkedPaging):
    """GET /projects/{project_name_or_id}/immutabletagrules."""

    q: str | None = None
    sort: str | None = None


class ImmutableRulePath(ProjectPath):
    """One rule of a project."""

    immutable_rule_id: Id
