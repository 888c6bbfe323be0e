from __future__ import annotations

import csv

from jobservice.domain import comma_separated


def test_a_line_is_read_back_as_it_was_written() -> None:
    cells = ["plain", "a, b", 'say "it"', "two\nlines", "", 7]
    line = comma_separated.line(cells)
    assert line.endswith("\r\n")
    [read] = csv.reader([line])
    assert read == [str(cell) for cell in cells]
