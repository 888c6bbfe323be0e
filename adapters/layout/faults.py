"""What the disk says, as the errors that registries give."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from protocol.errors import Denied, NotFound, Refused, Unavailable

_NOT_A_FOLDER = frozenset({errno.ELOOP, errno.ENOTDIR})


@contextmanager
def told(operation: str, where: str) -> Iterator[None]:
    """Turn an OSError into NotFound, Denied, Refused (a link in the way) or Unavailable."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(_reason(error), operation=operation, url=where, status=404) from error
    except PermissionError as error:
        raise Denied(_reason(error), operation=operation, url=where, status=403) from error
    except OSError as error:
        if error.errno in _NOT_A_FOLDER:
            message = f"a link or a file stands where a folder should: {_reason(error)}"
            raise Refused(message, operation=operation, url=where) from error
        raise Unavailable(_reason(error), operation=operation, url=where, status=507) from error


def missing(what: str) -> FileNotFoundError:
    """Say that something is not in the layout."""
    return FileNotFoundError(errno.ENOENT, what)


def _reason(error: OSError) -> str:
    text = error.strerror or os.strerror(error.errno or errno.EIO)
    return f"{text}: {error.filename}" if error.filename else text
