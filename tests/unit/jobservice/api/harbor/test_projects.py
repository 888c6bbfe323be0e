from __future__ import annotations

from access.identity import ANONYMOUS, SYSTEM
from jobservice.api.harbor import projects
from jobservice.api.models.project import ProjectListQuery
from jobservice.domain.listing import Contains, Equals

PUBLIC = Equals(field="public", value=True)


def test_who_is_no_administrator_sees_public_projects_whatever_is_asked() -> None:
    assert list(projects.conditions(ProjectListQuery(), ANONYMOUS)) == [PUBLIC]
    asked = ProjectListQuery(public=False)
    assert PUBLIC in projects.conditions(asked, ANONYMOUS)
    assert list(projects.conditions(ProjectListQuery(), SYSTEM)) == []


def test_parameters_are_conditions() -> None:
    asked = ProjectListQuery(name="ap", public=True, owner="eve")
    assert list(projects.conditions(asked, SYSTEM)) == [
        Contains(field="name", text="ap"),
        PUBLIC,
        Equals(field="owner_name", value="eve"),
    ]
