from typing import Any

from jobservice.cli import collecting
from jobservice.domain.collection import STAYS


def run(*, dry_run: bool = False, **told: Any) -> dict[str, Any]:
    parameters = '{"dry_run": true}' if dry_run else '{"dry_run": false}'
    return {"id": 7, "job_status": "Success", "job_parameters": parameters, "transship": told}


def test_what_stays_for_now_is_said() -> None:
    assert collecting.summary(run(manifests=0, kept=2, freed_bytes=0)) == (
        f"garbage collection 7: Success, 0 B freed, 2 {STAYS}"
    )


def test_of_a_dry_run_it_is_said_what_would_go() -> None:
    told = collecting.summary(run(dry_run=True, blobs=3, collected_bytes=1024, freed_bytes=0))
    assert told == "garbage collection 7: Success, 3 blobs, 1.0 KiB would go"
