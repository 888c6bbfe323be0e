from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from jobservice.domain import certificate
from jobservice.domain.certificate import Certificate, Unusable
from tests.fakes import certificates
from tests.fakes.certificates import Pair

DAY = timedelta(days=1)
ANY_KEY = b"""-----BEGIN PRIVATE KEY-----
bm8ga2V5
-----END PRIVATE KEY-----
"""


def judged(pair: Pair, *, chain: bytes | None = None, key: bytes | None = None) -> Certificate:
    return certificate.judge(
        pair.certificate.read_bytes() if chain is None else chain,
        pair.key.read_bytes() if key is None else key,
        now=datetime.now(UTC),
    )


def test_a_certificate_with_its_key_says_whom_it_is_good_for_and_until_when(tmp_path: Path) -> None:
    good = judged(certificates.make(tmp_path, "registry.example"))
    assert good.names == ("registry.example", "127.0.0.1")
    now = datetime.now(UTC)
    assert not good.has_ended(now)
    assert good.has_ended(now + 2 * DAY)


def test_a_certificate_without_names_is_good_for_nobody_by_name(tmp_path: Path) -> None:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    made = (
        x509.CertificateBuilder(x509.Name([]), x509.Name([]), key.public_key())
        .serial_number(1)
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    chain = made.public_bytes(serialization.Encoding.PEM)
    assert judged(certificates.make(tmp_path), chain=chain, key=pem).names == ()


def test_what_is_no_pem_is_told(tmp_path: Path) -> None:
    pair = certificates.make(tmp_path)
    with pytest.raises(Unusable, match="the certificate is no PEM"):
        judged(pair, chain=b"nonsense")
    with pytest.raises(Unusable, match="the key is no PEM of a private key"):
        judged(pair, key=b"nonsense")
    with pytest.raises(Unusable, match="the key is no PEM of a private key"):
        judged(pair, key=ANY_KEY)


def test_an_encrypted_key_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="the key is encrypted; decrypt it"):
        judged(certificates.make(tmp_path, passphrase="open sesame"))


def test_the_key_of_another_certificate_is_told(tmp_path: Path) -> None:
    pair, other = certificates.make(tmp_path), certificates.make(tmp_path, stem="other")
    with pytest.raises(Unusable, match="the key does not belong to the certificate"):
        judged(pair, key=other.key.read_bytes())


def test_a_chain_in_the_wrong_order_is_told(tmp_path: Path) -> None:
    pair, other = certificates.make(tmp_path), certificates.make(tmp_path, stem="other")
    own, ca = pair.certificate.read_bytes(), other.certificate.read_bytes()
    assert judged(pair, chain=own + ca).names == ("127.0.0.1",)
    with pytest.raises(Unusable, match="own certificate must come first"):
        judged(pair, chain=ca + own)


def test_what_is_over_or_has_not_begun_is_told_with_its_time(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"expired at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"):
        judged(certificates.make(tmp_path, begins_in=-2 * DAY, ends_in=-DAY))
    with pytest.raises(Unusable, match="valid only from"):
        judged(certificates.make(tmp_path, begins_in=DAY, ends_in=2 * DAY))


@pytest.mark.parametrize(
    ("life", "left", "soon"),
    [
        (90 * DAY, 10 * DAY, False),
        (90 * DAY, 9 * DAY, True),
        (3650 * DAY, 15 * DAY, False),
        (3650 * DAY, 14 * DAY, True),
        (6 * DAY, DAY, False),
    ],
)
def test_the_end_is_near_when_a_tenth_is_left_and_at_most_two_weeks(
    *, life: timedelta, left: timedelta, soon: bool
) -> None:
    ends = datetime(2030, 1, 1, tzinfo=UTC)
    one = Certificate(names=(), begins_at=ends - life, ends_at=ends)
    assert one.ends_soon(ends - left) is soon
