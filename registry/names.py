"""Repository names here: a project, then a path."""

from __future__ import annotations

from protocol import reference
from protocol.errors import InvalidReference
from registry.errors import refusal


def project_of(repository: str) -> str:
    """Return the project a repository is in; raise a refusal NAME_INVALID."""
    try:
        reference.check_repository(repository)
    except InvalidReference as error:
        raise refusal("NAME_INVALID", str(error), operation="name a repository") from None
    project, slash, _ = repository.partition("/")
    if not slash:
        raise refusal(
            "NAME_INVALID",
            f"repository {repository!r} has no project: use project/{repository}, "
            f"for example library/{repository}",
            operation="name a repository",
        )
    return project


def check_tag(tag: str) -> None:
    """Raise a refusal TAG_INVALID unless `tag` is a tag."""
    try:
        reference.check_tag(tag)
    except InvalidReference as error:
        raise refusal("TAG_INVALID", str(error), operation="name a tag") from None


def project_unknown(project: str, repository: str) -> Exception:
    """Return the refusal of a push into a project that is not there."""
    return refusal(
        "NAME_UNKNOWN",
        f"project {project!r} does not exist; make it with `transship project create {project}` "
        f"or POST /api/v2.0/projects",
        operation="push",
        repository=repository,
    )
