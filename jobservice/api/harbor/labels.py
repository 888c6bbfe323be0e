"""Labels in Harbor's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jobservice.api.models import label as models
from jobservice.domain.listing import Condition, Contains, Equals
from jobservice.errors import InvalidRequest
from jobservice.labels import ArtifactName
from registry.metadata.labels import Label, LabelWish

EVERYBODYS: Final = "g"
OF_A_PROJECT: Final = "p"
NAME_LIMIT: Final = 128
COLOR_LIMIT: Final = 16


def label(found: Label) -> models.Label:
    """Show a label."""
    return models.Label(
        id=found.id,
        name=found.name,
        description=found.description,
        color=found.color,
        scope=OF_A_PROJECT if found.project_id else EVERYBODYS,
        project_id=found.project_id or 0,
        creation_time=found.created_at,
        update_time=found.updated_at,
    )


def asked_for(body: models.Label) -> tuple[int | None, LabelWish]:
    """Read a new label, and its project, None for everybody's; raise InvalidRequest."""
    problems = [*_problems(body), *_scope_problems(body)]
    if problems:
        raise InvalidRequest(problems)
    return body.project_id if body.scope == OF_A_PROJECT else None, _wish(body)


def changed(body: models.Label) -> LabelWish:
    """Read what is to become of a label; raise InvalidRequest."""
    if problems := list(_problems(body)):
        raise InvalidRequest(problems)
    return _wish(body)


def ignored(body: models.Label, standing: Label | None = None) -> Iterator[str]:
    """Yield what has no effect, as in Harbor: a label stays where it was made."""
    if standing is not None:
        shown = label(standing)
        for name in ("id", "scope", "project_id"):
            if getattr(body, name) not in {None, getattr(shown, name)}:
                yield name
    elif body.scope == EVERYBODYS and body.project_id:
        yield "project_id"


def wanted(body: models.Label) -> int:
    """Read which label is meant; raise InvalidRequest."""
    if body.id is None:
        raise InvalidRequest(["id: is missing; it is the number of a label"])
    return body.id


def conditions(asked: models.LabelListQuery) -> Iterator[Condition]:
    """Yield the filters of a list that `project` understood."""
    yield Equals(field="scope", value=asked.scope or "")
    if asked.name:
        yield Contains(field="name", text=asked.name)
    if asked.scope == OF_A_PROJECT:
        yield Equals(field="project_id", value=asked.project_id or 0)


def project(asked: models.LabelListQuery) -> int | None:
    """Return whose labels are asked for, None for everybody's; raise InvalidRequest."""
    if problems := list(_scope_problems(asked)):
        raise InvalidRequest(problems)
    return asked.project_id if asked.scope == OF_A_PROJECT else None


def artifact(path: models.ArtifactPath) -> ArtifactName:
    """Return which artifact a path means."""
    return ArtifactName(
        project=path.project_name, repository=path.repository_name, reference=path.reference
    )


def _wish(body: models.Label) -> LabelWish:
    return LabelWish(
        name=body.name or "", description=body.description or "", color=body.color or ""
    )


def _problems(body: models.Label) -> Iterator[str]:
    if not body.name:
        yield "name: is missing"
    elif len(body.name) > NAME_LIMIT:
        yield f"name: has {len(body.name)} characters; {NAME_LIMIT} are allowed"
    if len(body.color or "") > COLOR_LIMIT:
        yield f"color: {(body.color or '')[:80]!r} has more than {COLOR_LIMIT} characters"


def _scope_problems(said: models.Label | models.LabelListQuery) -> Iterator[str]:
    if said.scope not in {EVERYBODYS, OF_A_PROJECT}:
        shown = f"{said.scope[:80]!r} is not known" if said.scope else "is missing"
        yield f"scope: {shown}; it is {EVERYBODYS} (everybody's) or {OF_A_PROJECT} (a project's)"
    elif said.scope == OF_A_PROJECT and not said.project_id:
        yield "project_id: is missing; what has scope p is a project's"
