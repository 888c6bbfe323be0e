"""Who deletes manifests and tags, and why: what triggers write beside what went."""

from __future__ import annotations

from typing import Final

DELETED: Final = "deleted"

# The beginning of a statement that deletes: $1 is who, $2 why. What it deletes is joined with
# `said`, so that this is read; it holds until the transaction ends.
BY = """
WITH said AS MATERIALIZED (
    SELECT set_config('transship.deleted_by', $1::text, true),
           set_config('transship.deletion_reason', $2::text, true)
)"""
