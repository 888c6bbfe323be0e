from __future__ import annotations

import pytest

from database.errors import MigrationChanged, MigrationMissing
from database.migrations import Applied, Migration, known, outstanding


def a_file(number: int, sql: str = "SELECT 1") -> Migration:
    return Migration(number=number, name=f"{number:04d}_x.sql", sql=sql)


def as_applied(file: Migration) -> Applied:
    return Applied(number=file.number, name=file.name, checksum=file.checksum)


def test_the_files_at_hand_have_unique_numbers_in_order() -> None:
    numbers = [file.number for file in known()]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1


def test_only_new_files_are_outstanding() -> None:
    files = [a_file(1), a_file(2), a_file(3)]
    assert outstanding(files, [as_applied(files[0])]) == files[1:]


def test_a_changed_file_is_refused() -> None:
    with pytest.raises(MigrationChanged, match=r"0001_x\.sql differs"):
        outstanding([a_file(1, "SELECT 2")], [as_applied(a_file(1))])


def test_a_newer_database_is_fine() -> None:
    assert outstanding([a_file(1)], [as_applied(a_file(1)), as_applied(a_file(2))]) == []


def test_a_file_that_vanished_is_refused() -> None:
    with pytest.raises(MigrationMissing, match="does not have"):
        outstanding([a_file(2)], [as_applied(a_file(1)), as_applied(a_file(2))])


def test_a_file_numbered_before_the_newest_is_refused() -> None:
    with pytest.raises(MigrationMissing, match="was never applied"):
        outstanding([a_file(1), a_file(2)], [as_applied(a_file(2))])


def test_two_files_with_one_number_are_refused() -> None:
    with pytest.raises(MigrationMissing, match="same number"):
        outstanding([a_file(1), a_file(1)], [])


def test_a_file_without_transaction_runs_statement_by_statement() -> None:
    file = a_file(1, "-- no-transaction\nCREATE INDEX a;\nCREATE INDEX b;\n")
    assert not file.transactional
    assert file.statements() == ["-- no-transaction\nCREATE INDEX a", "CREATE INDEX b"]
