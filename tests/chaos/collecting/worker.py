"""`transship worker` where leases are as short as the trial's database has them."""

from __future__ import annotations

from jobservice.cli import worker
from registry import garbage
from tests.chaos.collecting import haste

if __name__ == "__main__":
    garbage.LEASE = haste.MANIFEST_LEASE  # type: ignore[misc]  # as the database has it here
    worker.run()
