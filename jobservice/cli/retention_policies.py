"""How the commands of retention name a policy, and read one from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jobservice.cli import api_client, yaml_file
from jobservice.cli.api_client import ApiClient, Json, ServerError
from jobservice.cli.errors import UsageError

PATH: Final = "/retentions"
REMOTE: Final = "remote:"
_KNOWN: Final = frozenset({"id", "algorithm", "rules", "trigger", "scope", "transship"})


async def get(client: ApiClient, name: str) -> Json:
    """Return a policy by its project's name, or by its number; raise ServerError."""
    policy = await found(client, name)
    if policy is None:
        raise ServerError(f"{shown(name)} has no retention policy", status=404)
    return policy


async def found(client: ApiClient, name: str) -> Json | None:
    """Return a policy as `get` does; None where the place has none."""
    if name.isdecimal():
        numbered: Json = await client.get(f"{PATH}/{name}")
        return numbered
    if name.startswith(REMOTE):
        registry_id = await _registry_id(client, name)
        of_registry = await client.listed(PATH, q=f"registry_id={registry_id}")
        return next(iter(of_registry), None)
    project = await client.get(f"/projects/{api_client.segment(name)}")
    identity = (project.get("metadata") or {}).get("retention_id")
    if not identity:
        return None
    of_project: Json = await client.get(f"{PATH}/{identity}")
    return of_project


async def _registry_id(client: ApiClient, name: str) -> int:
    """Return the number of a registry that is named after `remote:`; raise ServerError."""
    registry = await client.named("/registries", name.removeprefix(REMOTE), what="registry")
    return int(registry["id"])


async def placed(client: ApiClient, name: str, body: Json) -> Json:
    """Return a policy's body with the place that it is for.

    It says everything: what it leaves out of `transship` the server would leave as it is.
    """
    if name.startswith(REMOTE):
        own = {**(body.get("transship") or {}), "registry_id": await _registry_id(client, name)}
        return {**body, "transship": own}
    about = await client.get(f"/projects/{api_client.segment(name)}")
    scope = {"level": "project", "ref": about["project_id"]}
    return {"transship": None, **body, "scope": scope}


def shown(name: str) -> str:
    """Return what a place is called in a sentence."""
    if name.startswith(REMOTE):
        return f"registry {name.removeprefix(REMOTE)}"
    return f"project {name}"


async def executions(client: ApiClient, name: str) -> str:
    """Return the path of a policy's runs."""
    return f"{PATH}/{(await get(client, name))['id']}/executions"


def read(file: Path) -> Json:
    """Return the policy of a file; raise UsageError."""
    body = yaml_file.read(file)
    if not isinstance(body, dict):
        raise UsageError(f"{file} holds no policy: an object with `rules` is wanted")
    unknown = sorted(set(body) - _KNOWN)
    if unknown:
        raise UsageError(f"{file}: {', '.join(unknown)} is not known; known are {_known()}")
    return body


def _known() -> str:
    return ", ".join(sorted(_KNOWN))
