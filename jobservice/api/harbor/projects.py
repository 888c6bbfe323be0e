"""Projects in Harbor's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from access.identity import Principal
from jobservice import unbuilt
from jobservice.api.models import project as models
from jobservice.domain.listing import Condition, Contains, Equals
from jobservice.errors import InvalidRequest
from jobservice.projects import ProjectSettings, ProjectView, ProjectWish

# Harbor's number for the role of a project's administrator.
ADMINISTRATOR_ROLE = 1
IS_NAME = "X-Is-Resource-Name"
TRUE = "true"
RETENTION = "metadata.retention_id"


def project(view: ProjectView, viewer: Principal) -> models.Project:
    """Show a project."""
    found = view.project
    role = ADMINISTRATOR_ROLE if viewer.is_sysadmin else 0
    return models.Project(
        project_id=found.id,
        owner_id=found.owner_id or 0,
        name=found.name,
        registry_id=0,
        creation_time=found.created_at,
        update_time=found.updated_at,
        deleted=False,
        owner_name=found.owner_name,
        togglable=viewer.is_sysadmin,
        current_user_role_id=role,
        current_user_role_ids=[role],
        repo_count=view.repositories,
        metadata=models.ProjectMetadata(
            public="true" if found.public else "false",
            retention_id=str(view.retention_id) if view.retention_id else None,
        ),
        transship=models.TransshipProject(
            untagged_keep_days=view.settings.untagged_keep_days,
        ),
    )


def asked_for(body: models.ProjectReq) -> tuple[str, ProjectWish]:
    """Read a project's name and what it is to be; raise InvalidRequest."""
    return body.project_name or "", _wish(body, [*_missing(body)])


def changed(view: ProjectView, body: models.ProjectReq) -> ProjectWish:
    """Read what is to become of a project; raise InvalidRequest."""
    renamed = body.project_name not in {None, "", view.project.name}
    problems = ["project_name: a project keeps its name"] if renamed else []
    return _wish(body, problems, retention_id=view.retention_id)


def _wish(
    body: models.ProjectReq, problems: list[str], *, retention_id: int | None = None
) -> ProjectWish:
    public = _public(body, problems, retention_id=retention_id)
    return ProjectWish(public=public, settings=_settings(body))


def _settings(body: models.ProjectReq) -> ProjectSettings | None:
    """Read `transship`: absent changes nothing, null resets it."""
    if "transship" not in body.model_fields_set:
        return None
    ours = body.transship or models.TransshipProject()
    return ProjectSettings(untagged_keep_days=ours.untagged_keep_days)


def _public(
    body: models.ProjectReq, problems: list[str], *, retention_id: int | None = None
) -> bool | None:
    """Read who may read it; raise InvalidRequest with this and every other problem."""
    public = body.metadata.public if body.metadata else None
    said = _said(body)
    found = said.pop(RETENTION, "")
    if found not in {"", str(retention_id)}:
        problems.append(f"{RETENTION}: {found!r} is not its retention policy; POST /retentions")
    problems = [*problems, *_public_problems(public), *unbuilt.project_problems(said)]
    if problems:
        raise InvalidRequest(problems)
    return body.public if public is None else public == "true"


def conditions(asked: models.ProjectListQuery, viewer: Principal) -> Iterator[Condition]:
    """Yield the filters of a list; who is no administrator of the system sees public projects."""
    if asked.name:
        yield Contains(field="name", text=asked.name)
    if asked.public is not None:
        yield Equals(field="public", value=asked.public)
    if asked.owner:
        yield Equals(field="owner_name", value=asked.owner)
    if not viewer.is_sysadmin:
        yield Equals(field="public", value=True)


def _missing(body: models.ProjectReq) -> Iterator[str]:
    if not body.project_name:
        yield "project_name: is missing"


def _public_problems(public: str | None) -> Iterator[str]:
    if public not in {None, "true", "false"}:
        yield f"metadata.public: {public!r} is neither 'true' nor 'false'"


def _said(body: models.ProjectReq) -> dict[str, Any]:
    metadata = body.metadata.model_dump(exclude_none=True) if body.metadata else {}
    said: dict[str, Any] = {f"metadata.{name}": value for name, value in metadata.items()}
    if body.storage_limit is not None:
        said["storage_limit"] = body.storage_limit
    if body.registry_id is not None:
        said["registry_id"] = body.registry_id
    if body.cve_allowlist is not None:
        said["cve_allowlist.items"] = len(body.cve_allowlist.items or [])
    return said


def key(name_or_id: str, headers: Mapping[str, str]) -> str | int:
    """Return which project a path means: digits are an id unless a header says otherwise."""
    is_name = headers.get(IS_NAME, "").lower() == TRUE
    is_id = name_or_id.isascii() and name_or_id.isdigit() and len(name_or_id) < len(str(2**63))
    return int(name_or_id) if is_id and not is_name else name_or_id
