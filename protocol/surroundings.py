"""What the machine says about the way out: proxies, CAs, credentials, client certificates.

Pure: config/settings.py reads the environment and hands it in.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from protocol import guard


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """HTTPS_PROXY, HTTP_PROXY and NO_PROXY, read as Go's httpproxy does."""

    https: str | None = field(default=None, repr=False)  # they may hold a password
    http: str | None = field(default=None, repr=False)
    exempt: tuple[str, ...] = ()

    def for_host(self, scheme: str, host: str, port: int) -> str | None:
        """Return the proxy's URL for a host, None for none; loopback never goes by proxy."""
        proxy = self.https if scheme == "https" else self.http
        if proxy is None or guard.reach_of_host(host) is guard.Reach.LOOPBACK:
            return None
        if any(_exempts(entry, host.lower(), port) for entry in self.exempt):
            return None
        return proxy if "://" in proxy else f"http://{proxy}"


def _exempts(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    address = guard.literal(host)
    if address is not None and "/" in entry:
        return _in_network(address, entry)
    name, colon, wanted_port = entry.rpartition(":")
    if colon and wanted_port.isdigit() and guard.literal(entry) is None:
        if int(wanted_port) != port:
            return False
        entry = name
    if address is not None:
        return guard.literal(entry) == address
    bare = entry.lower().removeprefix("*").strip(".")
    return host.endswith(f".{bare}") or (host == bare and not entry.startswith((".", "*")))


def _in_network(address: guard.Address, entry: str) -> bool:
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Everything about the way out. Files are named here and read by who needs them.

    `auth_files` are looked through in order (skopeo's, then docker's); `certificate_directories`
    hold one directory per `host[:port]` with `*.crt` (CAs), `*.cert` and `*.key` (client pair).
    """

    proxies: Proxies = Proxies()
    ca_file: str | None = None
    ca_directory: str | None = None
    auth_files: tuple[Path, ...] = ()
    certificate_directories: tuple[Path, ...] = ()
    helper_environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, environment: Mapping[str, str], *, home: Path, user_id: int = 0) -> Self:
        """Read them out of environment variables; nothing is opened."""
        return cls(
            proxies=_proxies(environment),
            ca_file=environment.get("SSL_CERT_FILE") or None,
            ca_directory=environment.get("SSL_CERT_DIR") or None,
            auth_files=_auth_files(environment, home, user_id),
            certificate_directories=(
                home / ".config/containers/certs.d",
                Path("/etc/containers/certs.d"),
                Path("/etc/docker/certs.d"),
            ),
            helper_environment=tuple(sorted(environment.items())),
        )

    def ca_name(self) -> str:
        """Name the CA in use for an error message."""
        return self.ca_file or self.ca_directory or "the system's CA certificates"


def _proxies(environment: Mapping[str, str]) -> Proxies:
    def either(name: str) -> str | None:
        return environment.get(name) or environment.get(name.lower()) or None

    entries = (each.strip() for each in (either("NO_PROXY") or "").split(","))
    return Proxies(
        https=either("HTTPS_PROXY"),
        http=either("HTTP_PROXY"),
        exempt=tuple(each for each in entries if each),
    )


def _auth_files(environment: Mapping[str, str], home: Path, user_id: int) -> tuple[Path, ...]:
    chosen = environment.get("REGISTRY_AUTH_FILE")
    if chosen:
        return (Path(chosen),)
    runtime = environment.get("XDG_RUNTIME_DIR")
    configuration = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    docker = Path(environment.get("DOCKER_CONFIG") or home / ".docker")
    return (
        Path(runtime, "containers/auth.json")
        if runtime
        else Path(f"/run/containers/{user_id}/auth.json"),
        configuration / "containers/auth.json",
        docker / "config.json",
    )
