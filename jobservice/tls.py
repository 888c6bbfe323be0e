"""The certificate that the API serves with: read anew when its files change.

Handshakes take the context that is current; connections that are open keep theirs. What cannot be
used is told and left aside, and the certificate before it stays.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from jobservice.domain import certificate
from jobservice.domain.certificate import Certificate, Unusable
from jobservice.errors import CertificateUnusable
from jobservice.maintenance.service import Service

log = structlog.get_logger(__name__)

_Marks = tuple[tuple[int, int, int], ...]
_NOTICE_SECONDS: Final = 24 * 3600
_LOOK_SECONDS: Final = 5.0


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    certificate: Certificate
    context: ssl.SSLContext


class ServerTls:
    """A certificate and its key in two PEM files; `context` serves with whatever is current."""

    def __init__(
        self, certificate_file: Path, key_file: Path, *, clock: Callable[[], datetime] = _now
    ) -> None:
        """Read them; raise CertificateUnusable."""
        self._files = (certificate_file, key_file)
        self._clock = clock
        self._problem = ""
        self._wanted = False
        self._told_at: datetime | None = None
        self._tried = self._seen = self._marks()
        try:
            self._current = self._load()
        except (Unusable, OSError) as error:
            raise CertificateUnusable(*map(str, self._files), reason=_reason(error)) from None
        # OpenSSL asks for a certificate after this callback, also where a client names no host.
        self.context = _context()
        self.context.sni_callback = self._choose

    @property
    def certificate(self) -> Certificate:
        """What is served with now."""
        return self._current.certificate

    @property
    def is_refusing(self) -> bool:
        """Whether the files hold something that cannot be served with."""
        return bool(self._problem)

    @property
    def problem(self) -> str:
        """What is wrong now, for anybody to read; nothing when all is well."""
        if self.certificate.has_ended(self._clock()):
            return "the TLS certificate has expired"
        if self._problem:
            return f"the new TLS certificate is not in use, the one before is: {self._problem}"
        return ""

    def service(self) -> Service:
        """Return what looks at the files every few seconds."""
        return Service(name="tls_certificate", seconds=_LOOK_SECONDS, tick=self.look)

    def forget(self) -> None:
        """Have the next look read the files, changed or not."""
        self._wanted = True

    async def look(self) -> None:
        """Read the files again if they have changed, and are not being written to just now."""
        marks = await asyncio.to_thread(self._marks)
        is_settled, self._seen = marks == self._seen, marks
        if self._wanted or (is_settled and marks != self._tried):
            self._wanted, self._tried = False, marks
            await self._reload()
        self._give_notice(self._clock())

    async def _reload(self) -> None:
        """Read the files; what cannot be used changes nothing and is told."""
        try:
            self._current = await asyncio.to_thread(self._load)
        except (Unusable, OSError) as error:
            self._problem = _reason(error)
            log.error("certificate_refused", file=str(self._files[0]), reason=self._problem)  # noqa: TRY400  a file that is wrong is no defect of ours
        else:
            self._problem = ""
            log.info(
                "certificate_loaded",
                names=list(self.certificate.names),
                ends_at=self.certificate.ends_at,
            )

    def _give_notice(self, now: datetime) -> None:
        """Say once a day that it is time for a new one."""
        told = self._told_at
        if not self.certificate.ends_soon(now) or (
            told is not None and (now - told).total_seconds() < _NOTICE_SECONDS
        ):
            return
        self._told_at = now
        log.warning("certificate_ends_soon", ends_at=self.certificate.ends_at)

    def _marks(self) -> _Marks:
        """Return what is another one when a file was written or replaced."""
        return tuple(map(_mark, self._files))

    def _load(self) -> _Loaded:
        chain, key = (file.read_bytes() for file in self._files)
        judged = certificate.judge(chain, key, now=self._clock())
        context = _context()
        try:
            context.load_cert_chain(*self._files)
        except ssl.SSLError as error:  # for example a key too short for OpenSSL's security level
            raise Unusable(f"OpenSSL refuses it: {error.reason}") from None
        return _Loaded(certificate=judged, context=context)

    def _choose(
        self, handshake: ssl.SSLObject, server_name: str | None, context: ssl.SSLContext
    ) -> None:
        del server_name, context
        handshake.context = self._current.context


def _context() -> ssl.SSLContext:
    """Return what speaks TLS 1.2 and newer, and HTTP/1.1 in it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _mark(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def _reason(error: Unusable | OSError) -> str:
    if isinstance(error, OSError):
        return f"a file cannot be read: {error.strerror}"
    return str(error)
