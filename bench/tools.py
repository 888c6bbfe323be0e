"""The programs that are compared, and how each is told to copy the same thing."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
TRANSSHIP: Final = "transship"
GO_PROGRAMS: Final = Path.home() / "go/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What is to be copied: one tag, or with None every tag of the repository."""

    source: str
    destination: str
    repository: str
    tag: str | None = None


def environment(home: Path) -> dict[str, str]:
    """Return what every program is started with: nobody's credentials, nobody's settings."""
    return {
        "PATH": os.environ["PATH"],  # noqa: TID251 - the programs are found by it
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home),
        "PYTHONPATH": str(ROOT),
    }


def installed() -> list[str]:
    """Return the programs that can take part here, ours first."""
    return [TRANSSHIP] + [name for name in ("skopeo", "crane", "regsync") if _program(name)]


def command(tool: str, errand: Errand, folder: Path) -> list[str]:
    """Return the command line; files that it needs are written into `folder`."""
    source = f"{errand.source}/{errand.repository}"
    destination = f"{errand.destination}/{errand.repository}"
    tag = f":{errand.tag}" if errand.tag else ""
    match tool:
        case "skopeo":
            return _skopeo(errand, source, destination)
        case "crane":
            everything = [] if errand.tag else ["--all-tags"]
            places = [f"{source}{tag}", f"{destination}{tag}"]
            return [_program(tool), "copy", "--insecure", *everything, *places]
        case "regsync":
            return [_program(tool), "once", "-c", str(_regsync_file(errand, folder))]
        case _:
            everything = [] if errand.tag else ["--all-tags"]
            ours = [sys.executable, "-m", "jobservice.cli.main", "copy"]
            return [*ours, *everything, f"{source}{tag}", f"{destination}{tag}"]


def _skopeo(errand: Errand, source: str, destination: str) -> list[str]:
    program = _program("skopeo")
    if errand.tag:
        insecure = ["--src-tls-verify=false", "--dest-tls-verify=false"]
        places = [f"docker://{source}:{errand.tag}", f"docker://{destination}:{errand.tag}"]
        return [program, "copy", "--all", *insecure, *places]
    namespace = destination.rpartition("/")[0]
    kinds = ["--src", "docker", "--dest", "docker"]
    insecure = ["--src-tls-verify=false", "--dest-tls-verify=false"]
    return [program, "sync", "--all", *kinds, *insecure, source, namespace]


def _regsync_file(errand: Errand, folder: Path) -> Path:
    kind = "image" if errand.tag else "repository"
    tag = f":{errand.tag}" if errand.tag else ""
    path = folder / "regsync.yml"
    path.write_text(
        "version: 1\n"
        "creds:\n"
        f"  - {{registry: '{errand.source}', tls: disabled}}\n"
        f"  - {{registry: '{errand.destination}', tls: disabled}}\n"
        "defaults: {parallel: 8}\n"
        "sync:\n"
        f"  - source: {errand.source}/{errand.repository}{tag}\n"
        f"    target: {errand.destination}/{errand.repository}{tag}\n"
        f"    type: {kind}\n"
    )
    return path


def _program(name: str) -> str:
    return shutil.which(name) or shutil.which(name, path=str(GO_PROGRAMS)) or ""
