"""Reports, whole and broken off, in each format."""

from __future__ import annotations

import csv
import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request

from jobservice.api import report
from jobservice.api.report import Format, Report, Section

Page = Sequence[dict[str, Any]]
ROWS: list[dict[str, Any]] = [
    {"name": "a<b>", "size": 1, "tags": ["x", "y"]},
    {"name": 'c,"d"', "size": None, "tags": []},
    {"name": "é", "size": 3, "tags": ["z"]},
]


async def paged(*pages: Page, fails: Exception | None = None) -> AsyncGenerator[Page, None]:
    for page in pages:
        yield page
    if fails is not None:
        raise fails


def made(pages: AsyncGenerator[Page, None]) -> Report:
    return Report(
        title="What <is> there",
        facts={"total": {"count": 3}, "is_exact": True},
        name="things",
        columns=("name", "size", "tags"),
        pages=pages,
        closing=lambda: [Section(name="last_words", columns=("word",), rows=[{"word": "end"}])],
    )


async def told(pages: AsyncGenerator[Page, None], form: Format) -> tuple[str, web.Response]:
    async def answer(request: web.Request) -> web.StreamResponse:
        return await report.send(request, made(pages), form)

    app = web.Application()
    app.router.add_get("/", answer)
    async with TestClient(TestServer(app)) as client, client.get("/") as response:
        return await response.text(), response  # type: ignore[return-value]


@pytest.mark.parametrize("pages", [(ROWS,), (ROWS[:1], [], ROWS[1:]), ([], ROWS)])
async def test_json_holds_facts_rows_and_what_comes_after(pages: tuple[Page, ...]) -> None:
    text, response = await told(paged(*pages), "json")
    assert response.headers["Content-Type"] == "application/json"
    assert json.loads(text) == {
        "total": {"count": 3},
        "is_exact": True,
        "things": ROWS,
        "last_words": [{"word": "end"}],
    }


async def test_nothing_at_all_is_a_report_too() -> None:
    text, _ = await told(paged(), "json")
    assert json.loads(text)["things"] == []


async def test_csv_holds_the_rows_quoted() -> None:
    text, response = await told(paged(ROWS[:2], ROWS[2:]), "csv")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert list(csv.reader(text.splitlines())) == [
        ["name", "size", "tags"],
        ["a<b>", "1", "x y"],
        ['c,"d"', "", ""],
        ["é", "3", "z"],
    ]


async def test_a_page_shows_everything_and_runs_nothing() -> None:
    text, response = await told(paged(ROWS), "html")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "<td>a&lt;b&gt;</td>" in text
    assert "<h1>What &lt;is&gt; there</h1>" in text
    assert "<li>total count: 3</li><li>is exact: yes</li>" in text
    assert "<h2>last words</h2>" in text
    assert text.count("<table>") == text.count("</table>") == 2
    assert "<script" not in text


@pytest.mark.parametrize("found", [(), (ROWS,)])
async def test_what_fails_is_an_error_as_any_other(found: tuple[Page, ...]) -> None:
    text, response = await told(paged(*found, fails=OSError("nothing there")), "json")
    assert response.status == 500
    assert "things" not in text


@pytest.mark.parametrize(
    ("accept", "named", "form"),
    [
        ("", None, "json"),
        ("*/*", None, "json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", None, "html"),
        ("text/csv; q=0.9, text/html", None, "csv"),
        ("application/json, text/html", None, "json"),
        ("text/html", "csv", "csv"),
    ],
)
def test_the_query_names_the_format_or_the_client_says_what_it_accepts(
    accept: str, named: Format | None, form: Format
) -> None:
    request = make_mocked_request("GET", "/", headers={"Accept": accept})
    assert report.wanted(request, named) == form
