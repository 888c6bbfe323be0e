"""A server's certificate and its key, judged from their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

# Whoever renews by itself does so earlier; what comes this close was forgotten.
LAST_PART: Final = 10
LONGEST_NOTICE: Final = timedelta(days=14)


class Unusable(Exception):
    """Nobody can be served with it; the text says what to do and holds nothing of the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate that can be served with; `names` are those that it is good for."""

    names: Sequence[str]
    begins_at: datetime
    ends_at: datetime

    def has_ended(self, now: datetime) -> bool:
        """Say whether clients refuse it."""
        return now >= self.ends_at

    def ends_soon(self, now: datetime) -> bool:
        """Say whether it is time to renew it: a tenth of its life is left, at most two weeks."""
        notice = min((self.ends_at - self.begins_at) / LAST_PART, LONGEST_NOTICE)
        return now >= self.ends_at - notice


def judge(chain_pem: bytes, key_pem: bytes, *, now: datetime) -> Certificate:
    """Return what the chain's first certificate says; raise Unusable."""
    chain, key = _chain(chain_pem), _public_key(key_pem)
    if _encoded(chain[0]) != key:
        raise Unusable(
            "the server's own certificate must come first, before those that signed it"
            if key in map(_encoded, chain)
            else "the key does not belong to the certificate"
        )
    own = chain[0]
    if now < own.not_valid_before_utc:
        raise Unusable(f"the certificate is valid only from {own.not_valid_before_utc:%F %T} UTC")
    if now >= own.not_valid_after_utc:
        raise Unusable(f"the certificate expired at {own.not_valid_after_utc:%F %T} UTC")
    return Certificate(
        names=_names(own), begins_at=own.not_valid_before_utc, ends_at=own.not_valid_after_utc
    )


def _chain(pem: bytes) -> Sequence[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise Unusable("the certificate is no PEM (-----BEGIN CERTIFICATE-----)") from None


def _public_key(pem: bytes) -> bytes:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError:
        raise Unusable(
            "the key is encrypted; decrypt it (`openssl pkey -in KEY -out NEW`), and let only "
            "the server's user read it"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise Unusable("the key is no PEM of a private key (-----BEGIN PRIVATE KEY-----)") from None
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _encoded(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _names(certificate: x509.Certificate) -> Sequence[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = map(str, found.get_values_for_type(x509.IPAddress))
    return (*found.get_values_for_type(x509.DNSName), *addresses)
