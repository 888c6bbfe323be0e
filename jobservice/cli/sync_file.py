"""The file that `transship sync` follows: registries and policies, with the API's field names.

What is wrong is told all at once. Unknown keys are refused, secrets are only named: `env:VARIABLE`
or `file:PATH` (relative to the file).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import pydantic
from pydantic import AfterValidator, BeforeValidator, Field

from jobservice.cli import yaml_file
from jobservice.cli.errors import UsageError
from protocol.credential import Credential
from protocol.doublestar import Pattern
from replication.policy import FLATTEN_ALL, Decoration, Filter, FilterKind, ReplicationPolicy

_BY_REFERENCE: Final = "write env:VARIABLE or file:PATH; secrets do not belong into this file"


_SCHEMES: Final = ("https://", "http://", "oci://", "oci-archive://")


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(
        extra="forbid", strict=True, frozen=True, hide_input_in_errors=True
    )


def _is_reference(value: str) -> str:
    if not value.startswith(("env:", "file:")):
        raise ValueError(_BY_REFERENCE)
    return value


def _is_url(value: str) -> str:
    if not value.startswith(_SCHEMES):
        raise ValueError(f"write {value!r} with one of {', '.join(_SCHEMES)} in front")
    return value


def _is_pattern(value: str) -> str:
    Pattern.compile(value)
    return value


def _name_of(value: object) -> object:
    """Accept `{name: x}`, as the API has it, for `x`."""
    return value["name"] if isinstance(value, dict) and set(value) == {"name"} else value


SecretReference = Annotated[str, AfterValidator(_is_reference)]
RegistryName = Annotated[str, BeforeValidator(_name_of)]


class FileCredential(_Strict):
    """How to log in; without one docker's and podman's credential files are asked."""

    type: Literal["basic"] = "basic"
    access_key: str
    access_secret: SecretReference


class FileRegistry(_Strict):
    """A registry endpoint."""

    name: str = Field(min_length=1)
    url: Annotated[str, AfterValidator(_is_url)]
    type: str = "docker-registry"
    description: str = ""
    credential: FileCredential | None = None
    insecure: bool = False
    ca_certificate: str | None = None


class FileFilter(_Strict):
    """One condition."""

    type: Literal["name", "tag", "resource"]
    value: Annotated[str, AfterValidator(_is_pattern)]
    decoration: Literal["matches", "excludes"] = "matches"


class FileTrigger(_Strict):
    """A file runs when it is run."""

    type: Literal["manual"]


class FileExtension(_Strict):
    """What Harbor has no field for."""

    referrers: bool = True


class FilePolicy(_Strict):
    """A replication policy."""

    name: str = Field(min_length=1)
    description: str = ""
    src_registry: RegistryName
    dest_registry: RegistryName
    dest_namespace: str = ""
    dest_namespace_replace_count: int = Field(default=FLATTEN_ALL, ge=FLATTEN_ALL, le=127)
    filters: list[FileFilter] = []
    override: bool = True
    enabled: bool = True
    speed: int = -1
    trigger: FileTrigger | None = None
    transship: FileExtension = FileExtension()

    def rules(self) -> ReplicationPolicy:
        """Return it as the engine has it."""
        return ReplicationPolicy(
            filters=tuple(
                Filter(
                    kind=FilterKind(one.type),
                    pattern=one.value,
                    decoration=Decoration(one.decoration),
                )
                for one in self.filters
            ),
            destination_namespace=self.dest_namespace,
            flattening=self.dest_namespace_replace_count,
            override=self.override,
            referrers=self.transship.referrers,
            speed_kilobits=self.speed if self.speed > 0 else None,
        )


class SyncFile(_Strict):
    """The whole file."""

    version: Literal[1]
    registries: list[FileRegistry] = Field(min_length=1)
    policies: list[FilePolicy] = Field(min_length=1)

    def registry(self, name: str) -> FileRegistry:
        """Return the registry of that name, which `read` has made sure of."""
        return next(registry for registry in self.registries if registry.name == name)


def read(path: Path) -> SyncFile:
    """Return what the file says; raise UsageError with a line for everything that is wrong."""
    document = yaml_file.read(path)
    problems = list(_unrelated(document))
    try:
        parsed = SyncFile.model_validate(document)
    except pydantic.ValidationError as error:
        raise _refusal(path, [*_sentences(error), *problems]) from None
    if problems:
        raise _refusal(path, problems)
    return parsed


def credential(
    registry: FileRegistry, environment: Mapping[str, str], folder: Path
) -> Credential | None:
    """Return a registry's credential with the secret that is named; raise UsageError without it."""
    if registry.credential is None:
        return None
    scheme, _, name = registry.credential.access_secret.partition(":")
    where = f"registry {registry.name!r}: access_secret {scheme}:{name}"
    try:
        secret = environment[name] if scheme == "env" else (folder / name).read_text().strip()
    except KeyError:
        raise UsageError(f"{where}: that environment variable is not set") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{where} cannot be read: {error}") from None
    return Credential(username=registry.credential.access_key, password=secret)


def _sentences(error: pydantic.ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False):
        place = "".join(
            f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]
        ).lstrip(".")
        said = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            said = "there is no such key"
        elif problem["type"] == "string_type":
            said = "is not text: put it in quotes"
        yield f"{place or 'the file'}: {said}"


def _unrelated(document: Any) -> Iterator[str]:
    """Yield what is wrong between parts; whatever has the wrong shape is left to the models."""
    registries = _names(document, "registries")
    policies = _names(document, "policies")
    for kind, names in (("registry", registries), ("policy", policies)):
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"two {kind} entries are named {name!r}"
    for index, policy in enumerate(_items(document, "policies")):
        ends = [_name_of(policy.get(key)) for key in ("src_registry", "dest_registry")]
        for key, end in zip(("src_registry", "dest_registry"), ends, strict=True):
            if isinstance(end, str) and end not in registries:
                known = ", ".join(registries) or "none"
                yield f"policies[{index}].{key}: no registry is named {end!r}; known are {known}"
        if isinstance(ends[0], str) and ends[0] == ends[1] and not policy.get("dest_namespace"):
            yield f"policies[{index}]: copies {ends[0]!r} onto itself; set dest_namespace"


def _items(document: Any, key: str) -> list[dict[Any, Any]]:
    found = document.get(key) if isinstance(document, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _names(document: Any, key: str) -> list[str]:
    return [name for item in _items(document, key) if isinstance(name := item.get("name"), str)]


def _refusal(path: Path, problems: list[str]) -> UsageError:
    lines = "\n".join(f"  {problem}" for problem in problems)
    return UsageError(f"{path} is refused, nothing was done:\n{lines}")
