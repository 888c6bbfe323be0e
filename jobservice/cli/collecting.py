"""A garbage collection followed until it ends, and told in a line."""

from __future__ import annotations

import json
from typing import Final

from jobservice.cli import display, watching
from jobservice.cli.api_client import ApiClient, Json
from jobservice.cli.errors import CommandError
from jobservice.cli.watching import UNFINISHED_JOB
from jobservice.domain.collection import STAYS

ROOT: Final = "/system/gc"
SUCCEEDED: Final = "Success"


async def until_it_ends(client: ApiClient, identity: int, *, quiet: bool) -> Json:
    """Return the collection as it ended, showing how far it is as that changes unless `quiet`."""
    path = f"{ROOT}/{identity}"
    return await watching.until_job_ends(client, path, summary, status="job_status", quiet=quiet)


def want_success(found: Json) -> None:
    """Raise CommandError, with the reason, unless the collection succeeded."""
    if found["job_status"] != SUCCEEDED:
        why = found["transship"].get("error") or f"ended as {found['job_status']}"
        raise CommandError(f"garbage collection {found['id']}: {why}")


def summary(found: Json) -> str:
    """Return one line: status, phase, counts, and once it ended what could still be freed."""
    told, is_dry = found["transship"], json.loads(found["job_parameters"])["dry_run"]
    parts = [found["job_status"] + (f" ({told['phase']})" if _is_under_way(found) else "")]
    parts += [f"{told[name]} {name}" for name in ("manifests", "blobs") if told.get(name)]
    if told.get("collected_bytes"):
        size = display.size(told["collected_bytes"])
        parts.append(f"{size} would go" if is_dry else f"{size} no longer needed")
    if "freed_bytes" in told and not is_dry:
        parts.append(f"{display.size(told['freed_bytes'])} freed")
    if told.get("refused_objects"):
        parts.append(f"{told['refused_objects']} objects not deleted by the storage")
    if told.get("kept"):
        parts.append(f"{told['kept']} {STAYS}")
    if later := (told.get("reclaimable") or {}).get("after_window", {}).get("bytes"):
        parts.append(f"{display.size(later)} more after the window")
    return f"garbage collection {found['id']}: {', '.join(parts)}"


def _is_under_way(found: Json) -> bool:
    return found["job_status"] in UNFINISHED_JOB and "phase" in found["transship"]
