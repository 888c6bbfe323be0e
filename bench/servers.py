"""Debian's docker-registry on loopback, each with a folder and an access log of its own."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_CONFIG: Final = """version: 0.1
log:
  level: error
storage:
  delete: {{enabled: true}}
  cache: {{blobdescriptor: inmemory}}
  filesystem: {{rootdirectory: "{folder}"}}
http:
  addr: 127.0.0.1:{port}
"""
_REQUEST: Final = re.compile(r'"(GET|HEAD|POST|PUT|PATCH|DELETE) [^"]* HTTP/1\.[01]"')
_START_SECONDS: Final = 20
_STOP_SECONDS: Final = 10
_ANSWER_SECONDS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificatePair:
    """Files of a certificate that its own key signed."""

    certificate: Path
    key: Path

    @classmethod
    def make(cls, folder: Path) -> Self:
        """Have openssl make one for a day."""
        pair = cls(certificate=folder / "cert.pem", key=folder / "key.pem")
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
        files = ["-keyout", str(pair.key), "-out", str(pair.certificate)]
        subject = ["-subj", "/CN=127.0.0.1"]
        subprocess.run([*command, *files, *subject], check=True, capture_output=True)  # noqa: S603 - ours
        return pair


def connect(host: str, *, encrypted: bool) -> http.client.HTTPConnection:
    """Return a connection to be; whose certificate it meets is not asked."""
    if not encrypted:
        return http.client.HTTPConnection(host, timeout=_ANSWER_SECONDS)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, timeout=_ANSWER_SECONDS, context=context)


class RegistryServer:
    """A docker-registry; `wipe` empties it between runs without changing its address."""

    def __init__(
        self, *, program: str = "docker-registry", pair: CertificatePair | None = None
    ) -> None:
        self._program = program
        self._pair = pair
        self._folder = Path(tempfile.mkdtemp(prefix="transship-bench-"))
        self._log = self._folder / "access.log"
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        """`127.0.0.1:port`."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """The running process."""
        if self._process is None:
            raise RuntimeError(f"{self._program} does not run")
        return self._process.pid

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def wipe(self) -> None:
        """Forget all content.

        The files are emptied and put aside, and deleted when all is measured: ext4 steps over what
        was deleted in the last minutes, inode by inode, whenever it makes a file, and that cost the
        next run up to twice the server's system time.
        """
        self._stop()
        data = self._folder / "data"
        for content in data.rglob("data"):
            os.truncate(content, 0)
        if data.exists():
            data.rename(Path(tempfile.mkdtemp(prefix="aside-", dir=self._folder)) / "data")
        os.sync()
        self._start()

    def requests(self) -> Counter[str]:
        """Count the requests answered since the start or the last call, by method."""
        with self._log.open("r+", encoding="utf-8", errors="replace") as log:
            counts = Counter(match[1] for line in log if (match := _REQUEST.search(line)))
            log.truncate(0)
        return counts

    def _start(self) -> None:
        config = self._folder / "config.yml"
        text = _CONFIG.format(folder=self._folder / "data", port=self._port)
        if self._pair is not None:
            text += f"  tls: {{certificate: {self._pair.certificate}, key: {self._pair.key}}}\n"
        config.write_text(text)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the program to measure against
                [self._program, "serve", str(config)], stdout=log, stderr=subprocess.DEVNULL
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"{self._program} did not start; see {self._log}")
            time.sleep(0.02)
        self.requests()

    def _answers(self) -> bool:
        connection = connect(self.host, encrypted=self._pair is not None)
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/v2/")
            return connection.getresponse().status == http.client.OK
        return False

    def _stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
