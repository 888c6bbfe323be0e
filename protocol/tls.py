"""TLS contexts: whose certificates are believed, and what we show ourselves."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from protocol.surroundings import Surroundings


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How one endpoint's certificate is judged; `ca_certificate` is PEM text or a file's path."""

    insecure: bool = False
    ca_certificate: str | None = None


def context(surroundings: Surroundings, host: str, trust: Trust) -> ssl.SSLContext:
    """Build the context for `host` (with its port if that is not 443).

    Raise OSError (ssl.SSLError among them) when a certificate file cannot be read.
    """
    result = ssl.create_default_context(
        cafile=surroundings.ca_file, capath=surroundings.ca_directory
    )
    result.set_alpn_protocols(["http/1.1"])
    if trust.ca_certificate:
        _believe(result, trust.ca_certificate)
    directory = _directory(surroundings, host)
    if directory is not None:
        for path in sorted(directory.glob("*.crt")):
            result.load_verify_locations(cafile=path)
        for path in sorted(directory.glob("*.cert")):
            result.load_cert_chain(path, path.with_suffix(".key"))
    if trust.insecure:
        result.check_hostname = False
        result.verify_mode = ssl.CERT_NONE
    return result


def ca_name(surroundings: Surroundings, host: str, trust: Trust) -> str:
    """Name what a certificate of `host` was held against."""
    names = [surroundings.ca_name()]
    if trust.ca_certificate:
        names.insert(0, "the endpoint's own CA certificate")
    directory = _directory(surroundings, host)
    if directory is not None:
        names.append(str(directory))
    return " and ".join(names)


def _believe(target: ssl.SSLContext, certificate: str) -> None:
    if "-----BEGIN" in certificate:
        target.load_verify_locations(cadata=certificate)
    else:
        target.load_verify_locations(cafile=certificate)


def _directory(surroundings: Surroundings, host: str) -> Path | None:
    candidates = (each / host for each in surroundings.certificate_directories)
    return next((each for each in candidates if each.is_dir()), None)
