"""What strangers send stays out of the log, even where it is no HTTP."""

from __future__ import annotations

import logging

import pytest
from aiohttp.http_exceptions import LineTooLong
from structlog.testing import capture_logs

from jobservice.api import server_log


@pytest.fixture
def logger() -> logging.Logger:
    return server_log.server_logger()


def complain(logger: logging.Logger, error: Exception) -> None:
    try:
        raise error
    except type(error):
        logger.exception("Error handling request from %s", "127.0.0.1")


def test_a_request_that_is_no_http_is_one_line_without_its_bytes(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as lines:
        complain(logger, LineTooLong(b"Basic YWRtaW46aHVudGVyMg=="))
    assert lines == [{"event": "bad_http", "error": "LineTooLong", "log_level": "info"}]
    assert caplog.records == []


def test_a_defect_keeps_its_traceback(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    complain(logger, ValueError("our own"))
    (record,) = caplog.records
    assert record.exc_info is not None


def test_the_logger_is_set_up_once(logger: logging.Logger) -> None:
    assert server_log.server_logger() is logger
    assert len(logger.filters) == 1
