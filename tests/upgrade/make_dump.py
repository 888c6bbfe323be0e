"""Keep a dump of what a release's database looks like after the demo ran through it.

    python -m tests.upgrade.make_dump COMMIT WORD

Adds the commit to releases.txt, unless it is there, and writes WORD.sql.gz beside it. The release's
own sources run, from a temporary folder, with the libraries of this one.
"""

from __future__ import annotations

import argparse
import gzip
import signal
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobservice.demo.programs import PID_FILE
from jobservice.supervisor import process, programs
from jobservice.supervisor.embedded_postgres import EmbeddedPostgres
from tests.upgrade import releases
from tests.upgrade.releases import Release

STOP_SECONDS = 60.0
KEPT = ("--no-owner", "--no-privileges", "--no-comments")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit")
    parser.add_argument("word")
    wanted = parser.parse_args()
    named = subprocess.run(
        ["git", "rev-parse", "--verify", f"{wanted.commit}^{{commit}}"],
        cwd=releases.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    release = Release(commit=named.stdout.strip(), word=wanted.word)
    with tempfile.TemporaryDirectory(prefix="tsdump-") as folder:
        tree = release.unpack(Path(folder) / "tree")
        with _demo_kept(tree, Path(folder)) as house:
            release.dump.write_bytes(gzip.compress(_dump(house), mtime=0))
    if release not in releases.read():
        with (releases.FOLDER / "releases.txt").open("a") as file:
            file.write(f"{release.commit} {release.word}\n")
    sys.stdout.write(f"{release.dump}: {release.dump.stat().st_size} bytes\n")


@contextmanager
def _demo_kept(tree: Path, folder: Path) -> Iterator[Path]:
    """Run a release's demo and yield the folder of its instance, whose servers still run."""
    subprocess.run(
        [_python(tree, folder / "venv"), "-m", "jobservice.cli.main", "demo", "--keep"],
        cwd=tree,
        env={**process.ENVIRONMENT, "TMPDIR": str(folder)},
        check=True,
    )
    (stage,) = folder.glob("transship-demo-*")
    try:
        yield stage / "house"
    finally:
        for file in stage.glob(f"*/{PID_FILE}"):
            process.Process(int(file.read_text())).stop(
                signal.SIGTERM, timeout_seconds=STOP_SECONDS
            )


def _python(tree: Path, folder: Path) -> Path:
    """Return an interpreter that, with all it starts, runs these sources and our libraries."""
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    # A line is a folder; no .pth file in there is read, so that our own sources stay out.
    (packages / "release.pth").write_text(f"{tree}\n{sysconfig.get_path('purelib')}\n")
    return folder / "bin" / "python"


def _dump(house: Path) -> bytes:
    server = EmbeddedPostgres(folder=house / "data" / "postgres")
    server.start()  # adopts the one that runs
    program = programs.find_postgres(None).folder / "pg_dump"
    return subprocess.run(
        [program, *KEPT, server.dsn()], env=process.ENVIRONMENT, capture_output=True, check=True
    ).stdout


if __name__ == "__main__":
    main()
