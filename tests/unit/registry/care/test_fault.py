from __future__ import annotations

import pytest

from protocol.digest import Digest
from registry.care.fault import Broken, Fault, Finding, Seen

DIGEST = Digest.parse(f"sha256:{'ab' * 32}")
LOSSES = {Fault.MISSING, Fault.WRONG_SIZE, Fault.DAMAGED}


def found(fault: Fault, *, is_repaired: bool) -> Finding:
    return Finding(fault=fault, subject=str(DIGEST), reason="why", is_repaired=is_repaired)


def test_a_loss_stays_open_until_its_bytes_are_back_whatever_repair_did() -> None:
    still_open = {fault for fault in Fault if found(fault, is_repaired=True).is_open}
    assert still_open == LOSSES == {fault for fault in Fault if fault.is_loss}


@pytest.mark.parametrize("fault", Fault)
def test_what_nobody_repaired_is_open(fault: Fault) -> None:
    assert found(fault, is_repaired=False).is_open


def test_an_audit_counts_what_it_found_and_what_of_it_is_open() -> None:
    seen = Seen()
    orphan = found(Fault.ORPHAN, is_repaired=True)
    assert seen.note(orphan) is orphan
    seen.note(found(Fault.ORPHAN, is_repaired=False))
    seen.note(found(Fault.MISSING, is_repaired=True))
    assert seen.faults == {Fault.ORPHAN: 2, Fault.MISSING: 1}
    assert seen.open == 2


def test_a_broken_manifest_is_named_as_somebody_would_pull_it() -> None:
    tagged = Broken(repository="library/alpine", digest=DIGEST, tags=("3.20", "latest"))
    assert str(tagged) == "library/alpine:3.20, library/alpine:latest"
    untagged = Broken(repository="library/alpine", digest=DIGEST)
    assert str(untagged) == f"library/alpine@{DIGEST}"
