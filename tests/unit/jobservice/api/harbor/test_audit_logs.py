from __future__ import annotations

from datetime import UTC, datetime

from jobservice.api.harbor import audit_logs as harbor
from jobservice.domain.audit_entry import AuditEntry

ENTRY = AuditEntry(
    id=7,
    occurred_at=datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
    username="alice",
    address="192.0.2.1",
    operation="pause",
    resource_type="queue",
    resource="policy 3",
    description="the disk is full",
    successful=False,
    details={"scope": "policy"},
)


def test_an_entry_has_the_fields_of_earlier_harbors_and_no_more() -> None:
    assert harbor.entry(ENTRY).model_dump(mode="json", exclude_none=True) == {
        "id": 7,
        "username": "alice",
        "resource": "policy 3",
        "resource_type": "queue",
        "operation": "pause",
        "op_time": "2030-01-02T03:04:05Z",
    }


def test_an_extended_entry_says_how_it_ended_and_from_where_it_came() -> None:
    shown = harbor.extended(ENTRY).model_dump(mode="json", exclude_none=True)
    assert shown["operation_result"] is False
    assert shown["operation_description"] == "the disk is full"
    assert shown["transship"] == {
        "client_address": "192.0.2.1",
        "details": {"scope": "policy"},
    }
