"""One clear sentence for every way in which a request gets no answer."""

from __future__ import annotations

import os
import socket
from typing import Final

import aiohttp
from yarl import URL

from protocol import connections
from protocol.errors import ExchangeError, Refused, Unreachable, UntrustedCertificate
from protocol.request import Request, redacted

# What OpenSSL says of an answer that is no TLS at all.
_NOT_TLS: Final = "WRONG_VERSION_NUMBER"


def no_answer(error: Exception, request: Request, *, proxy: str | None, ca: str) -> ExchangeError:
    """Translate what aiohttp raised before an answer came."""
    host = request.url.host_port_subcomponent or ""
    way = f" by the proxy {redacted(URL(proxy))}" if proxy else ""
    refusal = _refusal(error)
    if refusal is not None:
        return Refused(
            f"the outbound guard refuses it: {refusal}",
            operation=request.operation,
            url=request.shown_url,
        )
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return UntrustedCertificate(
            f"the certificate of {host}{way} is not trusted by {ca}: {_reason(error)}; name its"
            f" CA in SSL_CERT_FILE, /etc/containers/certs.d/{host}/ca.crt or the endpoint's"
            " ca_certificate",
            operation=request.operation,
            url=request.shown_url,
        )
    sentence, transient = _sentence(error, request, f"{host}{way}", ca)
    return _unreachable(request, sentence, transient=transient)


def broken_body(error: Exception, request: Request) -> Unreachable:
    """Translate what aiohttp raised while a body was read."""
    host = request.url.host_port_subcomponent
    if isinstance(error, TimeoutError):
        sentence = f"{host} sent nothing for too long in the middle of a body"
    else:
        sentence = f"{host} broke the connection in the middle of a body"
    return _unreachable(request, sentence, transient=True)


def unusable_certificate(error: OSError, request: Request) -> Unreachable:
    """Say that a CA or client certificate cannot be used."""
    host = request.url.host_port_subcomponent
    return _unreachable(
        request,
        f"the certificates configured for {host} cannot be used: {error}",
        transient=False,
    )


def _unreachable(request: Request, sentence: str, *, transient: bool) -> Unreachable:
    error = Unreachable(sentence, operation=request.operation, url=request.shown_url)
    error.transient = transient
    return error


def _refusal(error: Exception) -> str | None:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, OSError) and cause.errno == connections.REFUSED_ERRNO:
        return cause.strerror
    return None


def _reason(error: aiohttp.ClientConnectorCertificateError) -> str:
    cause = error.certificate_error
    return getattr(cause, "verify_message", "") or str(cause)


def _sentence(error: Exception, request: Request, host: str, ca: str) -> tuple[str, bool]:
    """Return the sentence, and whether another try may help at once."""
    permanent = _no_connection(error, host, ca)
    if permanent is not None:
        return permanent, False
    match error:
        case aiohttp.ConnectionTimeoutError():
            return f"{host} does not answer: the connection timed out", True
        case TimeoutError():
            return f"{host} made no progress for too long", True
        case aiohttp.ClientOSError() | aiohttp.ServerDisconnectedError() | OSError():
            return f"{host} broke the connection", True
        case _:
            detail = f"{type(error).__name__}: {error}"
            return f"{host} gave no usable answer to {request.method}: {detail[:300]}", False


def _no_connection(error: Exception, host: str, ca: str) -> str | None:
    match error:
        case aiohttp.ClientConnectorDNSError() | socket.gaierror():
            return (
                f"the host {host} is unknown: check its name, this machine's DNS and whether it"
                " takes a proxy (HTTPS_PROXY)"
            )
        case aiohttp.ClientHttpProxyError():
            return f"the proxy answered {error.status} on the way to {host}"
        case aiohttp.ClientProxyConnectionError():
            return f"no connection to {host}: the proxy does not answer"
        case aiohttp.ClientConnectorSSLError():
            return _no_tls(error, host, ca)
        case aiohttp.ClientConnectorError():
            number = error.os_error.errno
            reason = os.strerror(number) if number else str(error.os_error)
            return f"no connection to {host}: {reason}; check host and port, and that it runs"
        case _:
            return None


def _no_tls(error: aiohttp.ClientConnectorSSLError, host: str, ca: str) -> str:
    detail = getattr(error.os_error, "reason", None) or str(error.os_error)
    if detail == _NOT_TLS:
        return f"{host} does not speak TLS; for plain HTTP write http://{host}"
    return f"no TLS with {host} (checked against {ca}): {detail}"
