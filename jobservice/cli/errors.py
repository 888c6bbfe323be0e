"""What ends a command with one sentence and an exit code."""

from __future__ import annotations

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
