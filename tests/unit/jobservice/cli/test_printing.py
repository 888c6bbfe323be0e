from __future__ import annotations

import json

import pytest

from jobservice.cli import printing

ROWS = [{"id": 1, "name": "a", "to": {"name": "x"}}, {"id": 22, "name": "long name", "to": None}]
COLUMNS = {"ID": "id", "NAME": "name", "TO": "to.name"}


def test_columns_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    printing.rows(ROWS, COLUMNS, machine=False)
    assert capsys.readouterr().out.splitlines() == [
        "ID  NAME       TO",
        "1   a          x",
        "22  long name",
    ]


def test_without_rows_there_are_headings(capsys: pytest.CaptureFixture[str]) -> None:
    printing.rows([], COLUMNS, machine=False)
    assert capsys.readouterr().out == "ID  NAME  TO\n"


def test_machines_get_everything(capsys: pytest.CaptureFixture[str]) -> None:
    printing.rows(ROWS, COLUMNS, machine=True)
    assert json.loads(capsys.readouterr().out) == ROWS
    printing.details(ROWS[0], machine=True)
    assert json.loads(capsys.readouterr().out) == ROWS[0]


def test_details_leave_out_what_has_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    printing.details({"id": 1, "on": True, "none": None, "list": [1]}, machine=False)
    assert capsys.readouterr().out.splitlines() == ["id: 1", "on: yes", "list: [1]"]


def test_what_lies_deeper_has_a_dotted_name(capsys: pytest.CaptureFixture[str]) -> None:
    printing.details({"id": 1, "to": {"name": "x", "port": None}}, machine=False)
    assert capsys.readouterr().out.splitlines() == ["id: 1", "to.name: x"]


def test_people_read_times_to_the_second(capsys: pytest.CaptureFixture[str]) -> None:
    printing.rows([{"at": "2026-01-02T03:04:05.678901Z"}], {"AT": "at"}, machine=False)
    assert capsys.readouterr().out.splitlines() == ["AT", "2026-01-02T03:04:05Z"]
