from __future__ import annotations

import json

import pytest

from protocol.digest import Digest
from replication.cursor import Cursor
from replication.transfer import Outcome, Transfer, TransferReport

DIGEST = Digest.of(b"root")


@pytest.mark.parametrize("companions", [None, (), ("sha256-x.sig",)])
def test_a_transfer_survives_its_json_form(companions: tuple[str, ...] | None) -> None:
    transfer = Transfer(
        source_repository="a/b",
        destination_repository="n/b",
        digest=DIGEST,
        tags=("1", "2"),
        fresh=True,
        companions=companions,
    )
    assert Transfer.from_json(json.loads(json.dumps(transfer.to_json()))) == transfer


def test_a_transfer_is_named_by_its_tags_or_its_digest() -> None:
    tagged = Transfer(
        source_repository="a", destination_repository="b", digest=DIGEST, tags=("1", "2")
    )
    untagged = Transfer(source_repository="a", destination_repository="b", digest=DIGEST)
    assert tagged.source == "a:1,2"
    assert untagged.source == f"a@{DIGEST}"


def test_a_report_has_a_json_form() -> None:
    transfer = Transfer(source_repository="a", destination_repository="b", digest=DIGEST)
    report = TransferReport(transfer=transfer, outcome=Outcome.COPIED, bytes_copied=5)
    value = json.loads(json.dumps(report.to_json()))
    assert (value["outcome"], value["bytes_copied"], value["omitted"]) == ("copied", 5, [])


@pytest.mark.parametrize(
    ("cursor", "rest"),
    [
        (Cursor(), ["a", "b", "c"]),
        (Cursor(finished=""), ["a", "b", "c"]),
        (Cursor(finished="a"), ["b", "c"]),
        (Cursor(finished="a", repository="b", artifacts="9"), ["b", "c"]),
        (Cursor(finished="gone"), ["a", "b", "c"]),
        (Cursor(finished="a", repository="gone", artifacts="9"), ["b", "c"]),
    ],
)
def test_a_cursor_says_what_is_left(cursor: Cursor, rest: list[str]) -> None:
    again = Cursor.from_json(json.loads(json.dumps(cursor.to_json())))
    assert again == cursor
    assert again.rest(["a", "b", "c"]) == rest
