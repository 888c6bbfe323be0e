"""A report of any length: as JSON, as CSV, or as a page to read. It is found first, then sent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from html import escape
from typing import Any, Final, Literal, TypeAlias

import orjson
from aiohttp import hdrs, web
from typing_extensions import override

from jobservice.api import streaming
from jobservice.domain import comma_separated

Format: TypeAlias = Literal["json", "csv", "html"]
Row: TypeAlias = Mapping[str, Any]

HTML: Final = "text/html"
CSV: Final = "text/csv"

STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 2rem }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884 }
td { overflow-wrap: anywhere; font-variant-numeric: tabular-nums }
:root { color-scheme: light dark }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A table: its name, its columns, and its rows."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Facts that are known at once, rows as they are found, and what is known after the last."""

    title: str
    facts: Mapping[str, Any]
    name: str
    columns: Sequence[str]
    pages: AsyncGenerator[Sequence[Row], None]
    closing: Callable[[], Sequence[Section]]


def wanted(request: web.Request, named: Format | None) -> Format:
    """Return the format that the query names, or the first that the client accepts."""
    if named is not None:
        return named
    for part in request.headers.get(hdrs.ACCEPT, "").split(","):
        match part.partition(";")[0].strip().lower():
            case "text/html":
                return "html"
            case "text/csv":
                return "csv"
            case "application/json":
                return "json"
            case _:
                continue
    return "json"


async def send(request: web.Request, report: Report, form: Format) -> web.StreamResponse:
    """Send a report when all of it is found: who reads slowly holds up nothing in the database."""
    writer = _WRITERS[form](report)
    pieces = _pieces(writer, report)
    return await streaming.whole_text(request, pieces, content_type=writer.content_type)


async def _pieces(writer: _Writer, report: Report) -> AsyncGenerator[str, None]:
    async with aclosing(report.pages) as pages:
        first = await anext(pages, None) or ()
        yield writer.begin() + writer.page(first)
        async for page in pages:
            yield writer.page(page)
    yield writer.end()


class _Writer(ABC):
    """One format of one report, piece by piece."""

    content_type: str

    def __init__(self, report: Report) -> None:
        self._report = report

    @abstractmethod
    def begin(self) -> str: ...

    @abstractmethod
    def page(self, rows: Sequence[Row]) -> str: ...

    @abstractmethod
    def end(self) -> str: ...


class _Json(_Writer):
    content_type = "application/json"

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self._comma = ""

    @override
    def begin(self) -> str:
        facts = _json(self._report.facts).removesuffix("}")
        comma = "," if self._report.facts else ""
        return f"{facts}{comma}{_json(self._report.name)}:["

    @override
    def page(self, rows: Sequence[Row]) -> str:
        text = ",\n".join(_json(row) for row in rows)
        comma, self._comma = (self._comma, ",\n") if rows else ("", self._comma)
        return comma + text

    @override
    def end(self) -> str:
        sections = (f",{_json(one.name)}:{_json(one.rows)}" for one in self._report.closing())
        return f"]{''.join(sections)}}}\n"


class _Csv(_Writer):
    content_type = f"{CSV}; charset=utf-8"

    @override
    def begin(self) -> str:
        return comma_separated.line(self._report.columns)

    @override
    def page(self, rows: Sequence[Row]) -> str:
        lines = ([_plain(row.get(name)) for name in self._report.columns] for row in rows)
        return "".join(map(comma_separated.line, lines))

    @override
    def end(self) -> str:
        return ""


class _Html(_Writer):
    content_type = f"{HTML}; charset=utf-8"

    @override
    def begin(self) -> str:
        title = escape(self._report.title)
        facts = "".join(_facts(self._report.facts))
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            f"<style>{STYLE}</style></head><body><h1>{title}</h1><ul>{facts}</ul>"
            f"<h2>{escape(_words(self._report.name))}</h2>{_table_head(self._report.columns)}"
        )

    @override
    def page(self, rows: Sequence[Row]) -> str:
        return "".join(_table_row(row, self._report.columns) for row in rows)

    @override
    def end(self) -> str:
        sections = (
            f"<h2>{escape(_words(one.name))}</h2>{_table_head(one.columns)}"
            f"{''.join(_table_row(row, one.columns) for row in one.rows)}</table>"
            for one in self._report.closing()
        )
        return f"</table>{''.join(sections)}</body></html>\n"


_WRITERS: Final[Mapping[Format, type[_Writer]]] = {"json": _Json, "csv": _Csv, "html": _Html}


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _facts(facts: Mapping[str, Any], within: str = "") -> Iterator[str]:
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _facts(value, f"{within}{name} ")
        else:
            yield f"<li>{escape(_words(within + name))}: {escape(_plain(value))}</li>"


def _table_head(columns: Sequence[str]) -> str:
    return f"<table><tr>{''.join(f'<th>{escape(_words(column))}</th>' for column in columns)}</tr>"


def _table_row(row: Row, columns: Sequence[str]) -> str:
    cells = "".join(f"<td>{escape(_plain(row.get(column)))}</td>" for column in columns)
    return f"<tr>{cells}</tr>\n"


def _plain(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return " ".join(str(one) for one in value)
        case _:
            return str(value)


def _words(name: str) -> str:
    return name.replace("_", " ")
