"""What ends a command with one sentence and an exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jobservice.cli.exit_codes import ExitCode


class CommandError(Exception):
    """The message is shown as it is, on standard error."""

    def __init__(self, message: str, *, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code


class UsageError(CommandError):
    """What was asked for makes no sense; nothing was done."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=ExitCode.USAGE)


@contextmanager
def files_told(doing: str) -> Iterator[None]:
    """End the command with a sentence when files cannot be read or written, also by one of many."""
    try:
        yield
    except* OSError as failed:
        raise CommandError(f"{doing}: {_first(failed)}") from failed


def _first(failed: BaseException) -> BaseException:
    while isinstance(failed, BaseExceptionGroup):
        failed = failed.exceptions[0]
    return failed
