from __future__ import annotations

import hashlib
import hmac

from jobservice.domain.hook_payloads import signature


def test_a_signature_is_over_the_time_and_the_body() -> None:
    made = signature.header(b"secret", b'{"a":1}', timestamp=1700000000)
    wanted = hmac.new(b"secret", b'1700000000.{"a":1}', hashlib.sha256).hexdigest()
    assert made == f"t=1700000000,v1={wanted}"


def test_another_body_or_time_is_another_signature() -> None:
    made = {
        signature.header(b"secret", body, timestamp=moment)
        for body in (b"a", b"b")
        for moment in (1, 2)
    }
    assert len(made) == 4
