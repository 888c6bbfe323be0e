"""What aiohttp's server says, without what strangers sent: those bytes may hold a password."""

from __future__ import annotations

import logging

import structlog
from aiohttp.http_exceptions import HttpProcessingError
from typing_extensions import override

log = structlog.get_logger(__name__)


def server_logger() -> logging.Logger:
    """Return the logger for a server: a request that is no HTTP becomes one line."""
    logger = logging.getLogger("aiohttp.server")
    if not logger.filters:
        logger.addFilter(_BadHttp())
    return logger


class _BadHttp(logging.Filter):
    @override
    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError):
            return True
        log.info("bad_http", error=type(error).__name__)
        return False
