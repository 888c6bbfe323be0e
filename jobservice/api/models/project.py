"""Projects in Harbor's shape (its tag `project`)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from jobservice.api.models.base import HarborModel, LinkedPaging, Nothing, OwnModel


class ProjectMetadata(HarborModel):
    """A project's switches; Harbor writes booleans as text here."""

    public: str | None = None
    enable_content_trust: str | None = None
    enable_content_trust_cosign: str | None = None
    prevent_vul: str | None = None
    severity: str | None = None
    auto_scan: str | None = None
    auto_sbom_generation: str | None = None
    reuse_sys_cve_allowlist: str | None = None
    retention_id: str | None = None
    proxy_speed_kb: str | None = None
    max_upstream_conn: str | None = None
    proxy_cache_local_on_not_found: str | None = None
    proxy_referrer_api: str | None = None
    proxy_cache_filter_pattern: str | None = None
    proxy_cache_filter_kind: str | None = None


class CVEAllowlistItem(HarborModel):
    """One CVE that is accepted."""

    cve_id: str | None = None


class CVEAllowlist(HarborModel):
    """The CVEs that are accepted."""

    id: int | None = None
    project_id: int | None = None
    expires_at: int | None = None
    items: list[CVEAllowlistItem] | None = None
    creation_time: datetime | None = None
    update_time: datetime | None = None


class TransshipProject(OwnModel):
    """What Harbor has no field for. Untagged manifests go when unused for so many days."""

    untagged_keep_days: Annotated[int, Field(ge=1, le=36_500)] | None = None


class ProjectReq(HarborModel):
    """A project to make."""

    project_name: str | None = None
    public: bool | None = None
    metadata: ProjectMetadata | None = None
    cve_allowlist: CVEAllowlist | None = None
    storage_limit: int | None = None
    registry_id: int | None = None
    transship: TransshipProject | None = None


class Project(HarborModel):
    """A project."""

    project_id: int
    owner_id: int | None = None
    name: str
    registry_id: int | None = None
    creation_time: datetime | None = None
    update_time: datetime | None = None
    deleted: bool | None = None
    owner_name: str | None = None
    togglable: bool | None = None
    current_user_role_id: int | None = None
    current_user_role_ids: list[int] | None = None
    repo_count: int
    metadata: ProjectMetadata
    cve_allowlist: CVEAllowlist | None = None
    transship: TransshipProject | None = None


class ProjectPath(BaseModel):
    """A project by name, or by id where it reads as one and X-Is-Resource-Name is not true."""

    project_name_or_id: str


class ProjectListQuery(LinkedPaging):
    """GET /projects."""

    q: str | None = None
    sort: str | None = None
    name: str | None = None
    public: bool | None = None
    owner: str | None = None
    with_detail: bool = True


class ProjectHeadQuery(Nothing):
    """HEAD /projects."""

    project_name: str
