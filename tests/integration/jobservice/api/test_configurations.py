"""`/configurations`: the switch `read_only`, and what is fixed."""

from __future__ import annotations

from database.pool import Database
from tests.integration.jobservice.api.caller import Caller


async def test_read_only_is_turned_shown_and_recorded_once(
    admin: Caller, database: Database
) -> None:
    shown = (await admin.get("/configurations")).json
    assert shown["read_only"] == {"value": False, "editable": True}
    assert shown["auth_mode"] == {"value": "db_auth", "editable": False}
    for _ in range(2):
        assert (await admin.call("PUT", "/configurations", {"read_only": True})).status == 200
    assert (await admin.get("/configurations")).json["read_only"]["value"] is True
    assert (await admin.get("/systeminfo")).json["read_only"] is True
    assert (await admin.call("PUT", "/configurations", {"read_only": False})).status == 200
    assert (await admin.get("/systeminfo")).json["read_only"] is False
    async with database.connection() as connection:
        rows = await connection.fetch(
            "SELECT username, resource, description FROM access.audit_log"
            " WHERE operation || '_' || resource_type = 'update_configuration' ORDER BY id"
        )
    assert [tuple(row.values()) for row in rows] == [
        ("admin", "read_only", "on"),
        ("admin", "read_only", "off"),
    ]


async def test_what_is_shown_may_be_put_and_what_is_not_built_is_refused(admin: Caller) -> None:
    shown = (await admin.get("/configurations")).json
    same = {name: item["value"] for name, item in shown.items()}
    assert (await admin.call("PUT", "/configurations", same)).status == 200
    wanted = {"read_only": True, "auth_mode": "oidc_auth", "storage_per_project": 10}
    answer = await admin.call("PUT", "/configurations", wanted)
    assert answer.status == 400
    told = [error["message"] for error in answer.json["errors"]]
    assert [message.partition(":")[0] for message in told] == ["auth_mode", "storage_per_project"]
    assert (await admin.get("/configurations")).json["read_only"]["value"] is False


async def test_only_administrators_configure(nobody: Caller, stranger: Caller) -> None:
    assert (await nobody.get("/configurations")).status == 403
    assert (await nobody.call("PUT", "/configurations", {"read_only": True})).status == 403
    assert (await stranger.get("/configurations")).status == 401
