"""TCP settings that notice a dead peer in seconds instead of hours, at both ends."""

from __future__ import annotations

import socket
from typing import Any

IDLE_SECONDS = 15
INTERVAL_SECONDS = 5
COUNT = 3
USER_TIMEOUT_MILLISECONDS = 30_000

SERVER_SETTINGS = {
    "tcp_keepalives_idle": str(IDLE_SECONDS),
    "tcp_keepalives_interval": str(INTERVAL_SECONDS),
    "tcp_keepalives_count": str(COUNT),
    "tcp_user_timeout": str(USER_TIMEOUT_MILLISECONDS),
}

_OPTIONS = (
    ("TCP_KEEPIDLE", IDLE_SECONDS),
    ("TCP_KEEPINTVL", INTERVAL_SECONDS),
    ("TCP_KEEPCNT", COUNT),
    ("TCP_USER_TIMEOUT", USER_TIMEOUT_MILLISECONDS),
)


def enable(connection: Any) -> None:
    """Set our end of an asyncpg connection; nothing for Unix sockets."""
    transport = connection._transport  # noqa: SLF001 asyncpg offers no way to its socket
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _OPTIONS:
        option = getattr(socket, name, None)  # Linux has all four, others not
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
