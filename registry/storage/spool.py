"""Bytes on their way, in a temporary file without a name, hashed for the journey."""

from __future__ import annotations

import base64
import hashlib
import tempfile
from collections.abc import Sequence
from typing import IO


class Spool:
    """A file that nobody else sees and that is gone with the process."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 closed by `close`
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.size_bytes = 0

    def write(self, chunks: Sequence[bytes]) -> None:
        """Append chunks."""
        self._file.seek(0, 2)
        for chunk in chunks:
            self._file.write(chunk)
            self._md5.update(chunk)
            self.size_bytes += len(chunk)

    def read(self) -> bytes:
        """Return everything."""
        self._file.seek(0)
        return self._file.read()

    def body(self) -> IO[bytes]:
        """Return the file from its beginning, for whoever sends it."""
        self._file.seek(0)
        return self._file

    def md5(self) -> str:
        """Return the value of a Content-MD5 header."""
        return base64.b64encode(self._md5.digest()).decode()

    def close(self) -> None:
        """Forget it."""
        self._file.close()
