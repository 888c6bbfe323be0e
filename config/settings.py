"""The settings of every process, from the environment, a TOML file and config/default.toml.

Where a setting is given twice the first of these wins: the command line, the environment, its
`_FILE` form in the environment, the file, the default. Everything that is wrong is told at once.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import pydantic
from pydantic import Field, SecretStr, field_validator, model_validator

from config.errors import InvalidSettings

PREFIX = "TRANSSHIP_"
DEFAULTS = Path(__file__).with_name("default.toml")
FILE_SUFFIX = "_file"
SECRETS = (
    "postgres_dsn",
    "redis_dsn",
    "secret_key",
    "admin_password",
    "metrics_token",
    "s3_access_key",
    "s3_secret_key",
)
# Read by the command line, not by a server.
CLIENT_VARIABLES = ("CONFIG", "URL", "USERNAME", "PASSWORD", "PASSWORD_FILE", "CONTEXTS")
# Kubernetes adds these for every Service in the namespace, also for one named `transship`.
SERVICE_LINK_MARKS = ("_PORT", "_SERVICE_HOST", "_PORT_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Where the API listens; port 0 asks the system for a free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


class Settings(pydantic.BaseModel):
    """What one process was told; validated, and unchanging from then on."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    postgres_dsn: SecretStr | None = None
    redis_dsn: SecretStr | None = None
    secret_key: tuple[SecretStr, ...] = ()
    admin_password: SecretStr | None = None
    data: str
    storage: str
    storage_redirect: bool
    storage_reserve_percent: int = Field(ge=0, le=50)
    storage_reserve_mebibytes: int = Field(ge=0, le=1_000_000_000)
    s3_endpoint: str
    s3_region: str
    s3_path_style: bool
    s3_access_key: SecretStr | None = None
    s3_secret_key: SecretStr | None = None
    listen: str
    listen_shared: bool
    external_url: str
    insecure_http: bool
    tls_cert: str
    tls_key: str
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    worker_slots: int = Field(ge=1, le=1000)
    zone: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")
    layout_roots: tuple[Path, ...]
    keep_executions: int = Field(ge=0, le=1_000_000)
    keep_days: int = Field(ge=0, le=36_500)
    keep_log_days: int = Field(ge=0, le=36_500)
    keep_log_mebibytes: int = Field(ge=0, le=1_000_000)
    backup_window_days: int = Field(ge=0, le=3650)
    gc_grace_seconds: int | None = Field(ge=0, le=315_360_000)
    hook_allowed_networks: tuple[IPv4Network | IPv6Network, ...]
    client_silence_seconds: float = Field(gt=0, le=3600)
    metrics_token: SecretStr | None = None

    @property
    def listener(self) -> Listener:
        """The parsed `listen`."""
        host, _, port = self.listen.rpartition(":")
        return Listener(host=host.strip("[]"), port=int(port))

    @property
    def storage_path(self) -> Path | None:
        """The folder that `storage` names; None when it names none."""
        url = urlsplit(self.storage)
        return Path(unquote(url.path)) if url.scheme == "file" else None

    @property
    def storage_bucket(self) -> tuple[str, str] | None:
        """The bucket that `storage` names and the prefix within; None when it names none."""
        url = urlsplit(self.storage)
        return (url.netloc, unquote(url.path).strip("/")) if url.scheme == "s3" else None

    @field_validator("secret_key", "hook_allowed_networks", "trusted_proxies", mode="before")
    @classmethod
    def _split_words(cls, value: object) -> object:
        return value.replace(",", " ").split() if isinstance(value, str) else value

    @field_validator("gc_grace_seconds", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("layout_roots", mode="before")
    @classmethod
    def _split_paths(cls, value: object) -> object:
        return [part for part in value.split(":") if part] if isinstance(value, str) else value

    @field_validator("layout_roots")
    @classmethod
    def _absolute_roots(cls, roots: tuple[Path, ...]) -> tuple[Path, ...]:
        for root in roots:
            if not root.is_absolute():
                raise ValueError(f"{root} is not an absolute path")
        return roots

    @field_validator("listen")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        host, separator, port = value.rpartition(":")
        if not separator or not host or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004 - the highest port
            raise ValueError(f"{value!r} is not HOST:PORT, such as 127.0.0.1:8080")
        return value

    @field_validator("external_url", "s3_endpoint")
    @classmethod
    def _http_url(cls, value: str) -> str:
        url = urlsplit(value)
        if value and (
            url.scheme not in {"http", "https"} or not url.hostname or url.path.strip("/")
        ):
            raise ValueError(f"{value!r} is not http(s)://HOST[:PORT] without a path")
        return value.rstrip("/")

    @field_validator("storage")
    @classmethod
    def _known_storage(cls, value: str) -> str:
        url = urlsplit(value)
        if value and not (
            (url.scheme == "file" and not url.netloc and url.path.startswith("/"))
            or (url.scheme == "s3" and url.netloc and not url.query)
        ):
            raise ValueError(f"{value!r} is not file:///path or s3://bucket/prefix")
        return value

    @model_validator(mode="after")
    def _s3_as_a_whole(self) -> Self:
        if bool(self.s3_access_key) != bool(self.s3_secret_key):
            raise ValueError("s3_access_key and s3_secret_key are given together or not at all")
        given = [name for name, value in self if name.startswith("s3_") and value]
        if given and self.storage_bucket is None:
            raise ValueError(f"{', '.join(given)}: storage is no bucket (s3://bucket/prefix)")
        return self

    @field_validator("postgres_dsn")
    @classmethod
    def _postgres_url(cls, value: SecretStr | None) -> SecretStr | None:
        return _with_scheme(value, "postgresql", "postgres")

    @field_validator("redis_dsn")
    @classmethod
    def _redis_url(cls, value: SecretStr | None) -> SecretStr | None:
        return _with_scheme(value, "redis", "rediss", "unix")

    @model_validator(mode="after")
    def _private_or_encrypted(self) -> Self:
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("tls_cert and tls_key (--tls-cert, --tls-key) belong together")
        encrypted = bool(self.tls_cert) or self.external_url.startswith("https://")
        if not (self.listener.is_loopback or encrypted or self.insecure_http):
            raise ValueError(
                f"listen: {self.listen} is reachable from other machines and would carry passwords "
                "in the clear: give it a certificate (--tls-cert, --tls-key), put TLS in front and "
                "set external_url to its https address, or say insecure_http = true "
                "(--insecure-http)"
            )
        return self

    def as_environment(self) -> dict[str, str]:
        """Return the variables that make the same settings in a child process; secrets in clear."""
        return {
            PREFIX + name.upper(): _as_text(value)
            for name, value in self
            if value is not None and value != ()
        }

    def require(self, *names: str) -> None:
        """Raise InvalidSettings naming every one of these settings that has no value."""
        missing = [name for name in names if not getattr(self, name)]
        if missing:
            raise InvalidSettings(
                "\n".join(
                    f"{name} is missing: set {PREFIX}{name.upper()}"
                    + (f" or {PREFIX}{name.upper()}_FILE" if name in SECRETS else "")
                    for name in missing
                )
            )


def _as_text(value: object) -> str:
    match value:
        case SecretStr():
            return value.get_secret_value()
        case tuple():
            return (":" if isinstance(value[0], Path) else " ").join(map(_as_text, value))
        case _:
            return str(value)


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without any variable of ours."""
    return {name: value for name, value in environment.items() if not name.startswith(PREFIX)}


def _with_scheme(value: SecretStr | None, *schemes: str) -> SecretStr | None:
    if value is not None and urlsplit(value.get_secret_value()).scheme not in schemes:
        raise ValueError(f"must begin with {' or '.join(scheme + '://' for scheme in schemes)}")
    return value


@cache
def names() -> frozenset[str]:
    """Return the name of every setting, `_file` forms included."""
    return frozenset(Settings.model_fields) | {secret + FILE_SUFFIX for secret in SECRETS}


def load(
    environment: Mapping[str, str],
    *,
    file: Path | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """Return the settings that `environment`, `file` and the command line's `overrides` make.

    The file is the one that TRANSSHIP_CONFIG names when none is given. Raises InvalidSettings.
    """
    named = environment.get(f"{PREFIX}CONFIG", "")
    path = file or (Path(named) if named else None)
    given = tomllib.loads(DEFAULTS.read_text())
    given |= _of_file(path) if path is not None else {}
    given |= _resolved(_of_environment(environment))
    given |= {name: value for name, value in (overrides or {}).items() if value is not None}
    try:
        return Settings(**given)
    except pydantic.ValidationError as error:
        raise InvalidSettings("\n".join(_sentences(error))) from None


def warnings(environment: Mapping[str, str]) -> list[str]:
    """Return one sentence for each TRANSSHIP_ variable that is no setting."""
    return [
        f"the variable {PREFIX}{name} is no setting and has no effect{_nearest(name.lower())}"
        for name in _own_variables(environment)
        if name.lower() not in names() and name not in CLIENT_VARIABLES
    ]


def _own_variables(environment: Mapping[str, str]) -> Iterable[str]:
    for variable in sorted(environment):
        name = variable.removeprefix(PREFIX)
        is_link = any(name.endswith(mark) or mark in f"_{name}" for mark in SERVICE_LINK_MARKS)
        if name != variable and not is_link and name != "PORT":
            yield name


def _of_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    return {
        name.lower(): environment[PREFIX + name]
        for name in _own_variables(environment)
        if name.lower() in names()
    }


def _of_file(path: Path) -> dict[str, Any]:
    try:
        given = tomllib.loads(path.read_text())
    except OSError as error:
        raise InvalidSettings(
            f"the settings file {path} cannot be read: {error.strerror}"
        ) from None
    except ValueError as error:
        raise InvalidSettings(f"the settings file {path} is no TOML: {error}") from None
    unknown = [
        f"{path}: there is no setting {name!r}{_nearest(name)}"
        for name in given
        if name not in names()
    ]
    if unknown:
        raise InvalidSettings("\n".join(unknown))
    return _resolved(given)


def _resolved(given: dict[str, Any]) -> dict[str, Any]:
    """Replace each `_file` form by what its file holds."""
    resolved = {name: value for name, value in given.items() if not _is_file_form(name)}
    for name in filter(_is_file_form, given):
        secret = name.removesuffix(FILE_SUFFIX)
        if secret in resolved:
            raise InvalidSettings(f"{secret} is given twice, also as {name}: leave one of them out")
        try:
            resolved[secret] = Path(given[name]).read_text().strip()
        except OSError as error:
            raise InvalidSettings(
                f"{name}: {given[name]} cannot be read: {error.strerror}"
            ) from None
    return resolved


def _is_file_form(name: str) -> bool:
    return name.endswith(FILE_SUFFIX)


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, sorted(names()), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _sentences(error: pydantic.ValidationError) -> Iterable[str]:
    for problem in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        yield f"{where}: {message}" if where else message
