"""Run the OCI conformance program against a registry started here: `make conformance`.

Builds the program with Go by its package path, starts Postgres, serves /v2/ on loopback, and prints
the counts of results. Ends with 1 when a result is a failure, with 3 where there is no Go.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from aiohttp import web

from access import users
from access.authentication import Authenticator
from database import migrations
from database.pool import Database
from jobservice.supervisor import embedded_postgres
from registry.http import routes
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage

PROGRAM = "github.com/opencontainers/distribution-spec/conformance@latest"
PASSWORD = "conformance"
NO_GO = 3


def build(folder: Path) -> Path:
    """Return the program, built into `folder`."""
    go = shutil.which("go")
    if go is None:
        sys.stderr.write("conformance: no Go on this machine, nothing was run\n")
        raise SystemExit(NO_GO)
    command = ["/usr/bin/env", f"GOBIN={folder}", go, "install", PROGRAM]
    subprocess.run(command, check=True)
    return folder / "conformance"


async def serve_and_run(folder: Path, dsn: str, program: Path, version: str) -> Path:
    """Return the folder of results."""
    database = await Database.connect(dsn)
    await users.ensure_admin(database, PASSWORD)
    app = web.Application()
    registry = Registry(database, FilesystemStorage(folder / "storage"))
    routes.register(app, registry, Authenticator(database))
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    results = folder / "results"
    settings = {
        "OCI_REGISTRY": f"{host}:{port}",
        "OCI_TLS": "disabled",
        "OCI_VERSION": version,
        "OCI_REPO1": "library/conformance/one",
        "OCI_REPO2": "library/conformance/two",
        "OCI_USERNAME": "admin",
        "OCI_PASSWORD": PASSWORD,
        "OCI_RESULTS_DIR": str(results),
    }
    arguments = [f"{name}={value}" for name, value in settings.items()]
    process = await asyncio.create_subprocess_exec("/usr/bin/env", *arguments, str(program))
    await process.wait()
    await runner.cleanup()
    await database.close()
    return results


def count(results: Path) -> Counter[str]:
    """Return the program's own sums: tests, failures, errors, disabled."""
    report = (results / "junit.xml").read_text()
    suite = re.search(r"<testsuite [^>]*>", report)
    if suite is None:
        raise SystemExit("conformance: the program wrote no report")
    return Counter({name: int(number) for name, number in re.findall(r'(\w+)="(\d+)"', suite[0])})


def run(version: str, program: Path, keep: Path | None) -> Counter[str]:
    """Return the program's sums for one version of the specification, on a registry of its own."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as name:
        folder = Path(name)
        postgres = embedded_postgres.EmbeddedPostgres(
            folder=folder / "postgres", durable=False, die_with_parent=True
        )
        postgres.start()
        try:
            dsn = postgres.dsn("postgres")
            asyncio.run(migrations.apply(dsn))
            results = asyncio.run(serve_and_run(folder, dsn, program, version))
        finally:
            postgres.stop()
        if keep:
            shutil.copytree(results, keep / version, dirs_exist_ok=True)
        return count(results)


def main() -> int:
    """Run it for every version asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("versions", nargs="*", default=["1.1", "dev"], help="1.1, dev or both")
    parser.add_argument("--keep", type=Path, help="copy the results into this folder")
    arguments = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory(prefix="conformance-") as name:
        program = build(Path(name))
        for version in arguments.versions:
            counts = run(version, program, arguments.keep)
            sys.stdout.write(f"conformance {version}: {dict(counts)}\n")
            failed |= not counts["tests"] or bool(counts["failures"] or counts["errors"])
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
