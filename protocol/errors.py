"""Every error of this floor, as one tree.

ProtocolError
├── InvalidInput                 what was written down is wrong; nothing was sent
│   ├── InvalidConfig
│   ├── InvalidDigest
│   ├── InvalidReference
│   ├── InvalidManifest
│   └── InvalidPattern
├── ContentError                 the bytes are not what was promised
│   ├── DigestMismatch
│   ├── SizeMismatch
│   └── ManifestTooLarge
├── HashStateUnavailable         a hash cannot be saved or taken up here: read the bytes again
├── CredentialsUnusable          a file or program that should hold credentials cannot be used
└── ExchangeError                a request did not end well: operation, url
    ├── Refused                  our own guard said no
    ├── Unreachable              no answer: dns, connect, TLS, reset, stalled
    │   └── UntrustedCertificate
    └── RegistryError            the registry answered: status, codes
        ├── NotFound
        ├── Unauthorized
        ├── Denied
        ├── RateLimited          retry_after_seconds
        ├── Unsupported
        ├── RangeNotSatisfiable
        ├── Rejected             any other 4xx
        └── Unavailable          5xx
"""

from __future__ import annotations

from dataclasses import dataclass


class ProtocolError(Exception):
    """The root: catch it to say that talking about or to a registry failed."""


class InvalidInput(ProtocolError, ValueError):
    """Something written by a person or a peer does not follow its grammar."""


class InvalidDigest(InvalidInput):
    """Not `algorithm:encoded` with a known algorithm and its exact length."""


class InvalidReference(InvalidInput):
    """Not a repository name, tag or reference."""


class InvalidManifest(InvalidInput):
    """Bytes that are no manifest: not JSON, not an object, wrong types, too deep."""


class InvalidConfig(InvalidInput):
    """Bytes that are no config of an image; the text goes on where "its config" was said."""


class InvalidPattern(InvalidInput):
    """Not a doublestar pattern."""


class ContentError(ProtocolError):
    """Bytes that differ from what their descriptor promised; never retried on the same source."""


class DigestMismatch(ContentError):
    """The bytes hash to something else."""

    def __init__(self, *, expected: str, actual: str) -> None:
        super().__init__(f"content hashes to {actual}, not to {expected}")
        self.expected = expected
        self.actual = actual


class SizeMismatch(ContentError):
    """More or fewer bytes than promised."""

    def __init__(self, *, expected_bytes: int, actual_bytes: int) -> None:
        super().__init__(f"content has {actual_bytes} bytes, not {expected_bytes}")
        self.expected_bytes = expected_bytes
        self.actual_bytes = actual_bytes


class ManifestTooLarge(ContentError):
    """A manifest over the cap of what is read into memory."""

    def __init__(self, *, limit_bytes: int) -> None:
        super().__init__(f"manifest is larger than {limit_bytes} bytes")
        self.limit_bytes = limit_bytes


class HashStateUnavailable(ProtocolError):
    """A hash's state cannot be saved or restored; hash the bytes again from their start."""


class CredentialsUnusable(ProtocolError):
    """A file or program that should hold credentials cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryFault:
    """One entry of a registry's `errors` array (distribution-spec, Error Codes)."""

    code: str
    message: str


class ExchangeError(ProtocolError):
    """A request that did not end well; `url` is redacted."""

    def __init__(self, message: str, *, operation: str, url: str) -> None:
        super().__init__(f"{operation}: {message} ({url})")
        self.operation = operation
        self.url = url
        self.message = message


class Refused(ExchangeError):
    """The outbound guard refused the address or the redirect."""


class Unreachable(ExchangeError):
    """No usable answer: unknown host, refused connection, TLS failure, reset, no progress."""

    transient: bool = False
    """Whether another try may help at once: the peer was there and went silent or away."""


class UntrustedCertificate(Unreachable):
    """The peer's certificate is not trusted by the CA in use."""


class RegistryError(ExchangeError):
    """The registry answered with an error status."""

    def __init__(
        self,
        message: str,
        *,
        operation: str,
        url: str,
        status: int,
        faults: tuple[RegistryFault, ...] = (),
    ) -> None:
        super().__init__(message, operation=operation, url=url)
        self.status = status
        self.faults = faults


class NotFound(RegistryError):
    """404: no such repository, manifest, blob or upload."""


class Unauthorized(RegistryError):
    """401 after the credentials were tried."""


class Denied(RegistryError):
    """403: the credentials are known and do not suffice."""


class RateLimited(RegistryError):
    """429: the registry asks for less."""

    retry_after_seconds: float | None = None


class Unsupported(RegistryError):
    """405 or 501, or a code UNSUPPORTED: this registry does not do that."""


class RangeNotSatisfiable(RegistryError):
    """416: the offset is not where the registry stands."""


class Rejected(RegistryError):
    """Any other 4xx: the request itself is refused, a repetition will not help."""


class Unavailable(RegistryError):
    """5xx, or 408: worth another try."""

    retry_after_seconds: float | None = None
