"""What processes print: one JSON object per line on standard error, or colours on a terminal.

Every line inside a task carries execution, task and attempt, and goes to the task's log too.
Secrets are cut out of every line, whoever wrote it.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import orjson
import structlog

from jobservice.domain import redaction
from jobservice.task_log import TaskLog

REDACTED = redaction.REDACTED
redact_text = redaction.redact_text
_SECRET_KEYS = re.compile(
    r"(?i)(password|passwd|secret|token|authorization|credential|private_?key|api_?key)"
)
current_task_log: ContextVar[TaskLog | None] = ContextVar("current_task_log", default=None)

EventDict = MutableMapping[str, Any]


def configure(*, level: str = "info") -> None:
    """Set up structlog and the standard library's logging for this process."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    on_terminal = sys.stderr.isatty()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact,
                to_task_log,
                # Plain: a traceback with local variables would show what redaction cannot see.
                structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
                if on_terminal
                else structlog.processors.JSONRenderer(serializer=_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # arq tells of every job at INFO, and of failures that Postgres knows better.
    logging.getLogger("arq").setLevel(logging.WARNING)
    # asyncpg's pool prints a traceback per try while Postgres is away; our callers say it once.
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _json(event: Any, default: Callable[[Any], Any], **_: object) -> str:
    return orjson.dumps(event, default=default, option=orjson.OPT_NON_STR_KEYS).decode()


def redact(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Cut secrets out: by the name of the field, and by what they look like in text."""
    return {key: _redacted(key, value) for key, value in event.items()}


@lru_cache(maxsize=1024)
def _names_a_secret(key: str) -> bool:
    return _SECRET_KEYS.search(key) is not None


def _redacted(key: str, value: object) -> object:
    if isinstance(value, str | bytes) and _names_a_secret(key):
        return REDACTED
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, dict):
        return {str(name): _redacted(str(name), inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted("", inner) for inner in value]
    return value


def to_task_log(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Copy a line that belongs to a running task into that task's log."""
    task_log = current_task_log.get()
    if task_log is not None:
        task_log.write(event)
    return event
