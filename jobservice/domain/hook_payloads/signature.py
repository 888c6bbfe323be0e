"""How a receiver knows that a message is ours and fresh: HMAC-SHA256 over time and body."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

HEADER: Final = "X-Transship-Signature"
EVENT_ID: Final = "X-Transship-Event-Id"
EVENT_TYPE: Final = "X-Transship-Event-Type"


def header(secret: bytes, body: bytes, *, timestamp: int) -> str:
    """Return `t=<seconds>,v1=<hex>`: the hash of `<seconds>.<body>` under the secret."""
    signed = f"{timestamp}.".encode() + body
    return f"t={timestamp},v1={hmac.new(secret, signed, hashlib.sha256).hexdigest()}"
