"""Earlier releases: commits of the main branch, one a line in releases.txt, the oldest first."""

from __future__ import annotations

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]


class NotHere(Exception):
    """This clone does not reach back to a release: it is shallow, or no clone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A commit, and a word for what came with it."""

    commit: str
    word: str

    @property
    def dump(self) -> Path:
        """The dump of a database that it left."""
        return FOLDER / f"{self.word}.sql.gz"

    def unpack(self, folder: Path) -> Path:
        """Put its sources into a folder; return that. Raise NotHere."""
        archive = subprocess.run(
            ["git", "archive", "--format=tar", self.commit],
            cwd=ROOT,
            capture_output=True,
            check=False,
        )
        if archive.returncode != 0:
            raise NotHere(f"{self.word} ({self.commit[:8]}): {archive.stderr.decode().strip()}")
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
            tar.extractall(folder, filter="data")
        return folder


def read() -> list[Release]:
    """Return the releases, the oldest first."""
    lines = (FOLDER / "releases.txt").read_text().splitlines()
    return [Release(commit=commit, word=word) for commit, word in map(str.split, lines)]
