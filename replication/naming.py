"""Where a source repository goes: Harbor's flattening, checked against the name grammar."""

from __future__ import annotations

from protocol import reference
from protocol.errors import InvalidReference
from replication.errors import InvalidDestination, RepositoryTooShallow
from replication.policy import FLATTEN_ALL


def destination_repository(
    source: str, namespace: str, flattening: int, *, minimum_components: int = 1
) -> str:
    """Return the destination's repository name.

    `flattening` leading components are replaced by `namespace`; FLATTEN_ALL keeps the last alone;
    with an empty namespace nothing changes. Raise RepositoryTooShallow or InvalidDestination.
    """
    name = _flattened(source, namespace, flattening) if namespace else source
    _check(name, source, minimum_components)
    return name


def _flattened(source: str, namespace: str, flattening: int) -> str:
    components = source.split("/")
    if flattening == FLATTEN_ALL:
        return f"{namespace}/{components[-1]}"
    if flattening < 0:
        raise InvalidDestination(
            f"flattening {flattening} is neither {FLATTEN_ALL} nor a number of components",
            repository=source,
        )
    if flattening >= len(components):
        raise RepositoryTooShallow(repository=source, flattening=flattening)
    return "/".join([namespace, *components[flattening:]])


def _check(name: str, source: str, minimum_components: int) -> None:
    try:
        reference.check_repository(name)
    except InvalidReference as error:
        raise InvalidDestination(
            f"{source} would become {name!r} at the destination: {error}", repository=source
        ) from error
    components = name.count("/") + 1
    if components < minimum_components:
        raise InvalidDestination(
            f"{source} would become {name!r}, and the destination wants at least"
            f" {minimum_components} components: set a destination namespace or flatten less",
            repository=source,
        )
