"""How a command ends, as a number that scripts can rely on (docs/exit-codes.md lists them)."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Final

from protocol import errors


class ExitCode(IntEnum):
    """What the shell sees."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    DENIED = 4
    NOT_FOUND = 5
    CONTENT = 6
    INTERRUPTED = 130


# The first that fits decides.
_BY_ERROR: Final[tuple[tuple[type[Exception], ExitCode], ...]] = (
    (errors.InvalidManifest, ExitCode.CONTENT),
    (errors.InvalidInput, ExitCode.USAGE),
    (errors.ContentError, ExitCode.CONTENT),
    (errors.Unreachable, ExitCode.UNREACHABLE),
    (errors.Unavailable, ExitCode.UNREACHABLE),
    (errors.Refused, ExitCode.DENIED),
    (errors.Unauthorized, ExitCode.DENIED),
    (errors.Denied, ExitCode.DENIED),
    (errors.NotFound, ExitCode.NOT_FOUND),
)


def of(error: BaseException) -> ExitCode:
    """Return the code for what went wrong: the registry's answer counts before its wrapping."""
    for link in _chain(error):
        for kind, code in _BY_ERROR:
            if isinstance(link, kind):
                return code
    return ExitCode.FAILED


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
