"""A preview of retention as text that goes out piece by piece: for programs, or to read."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from typing import Any, Final, Protocol

import orjson

from jobservice.domain import comma_separated, retention_table
from jobservice.domain.retention_coverage import Coverage
from jobservice.domain.retention_table import shown_bytes
from jobservice.domain.retention_verdict import Deciding, Verdict
from registry.retention.guard import Totals

# So many artifacts of a repository that stay are listed; all that go are.
KEPT_SHOWN: Final = 1_000
LEFT_ALONE_SHOWN: Final = 100
COLUMNS: Final = (
    "repository",
    "action",
    "digest",
    "tags",
    "size_bytes",
    "pushed_at",
    "used_at",
    "reason",
)
ASKS: Final = "A scheduled run would wait to be approved"
# What a row of the page is cut off at: a digest may have ten thousand tags.
_TAGS_SHOWN: Final = 20


@dataclass(slots=True, kw_only=True)
class Total:
    """What all repositories come to, as far as they were decided about."""

    candidates: int = 0
    doomed: int = 0
    doomed_bytes: int = 0
    guarded: Totals = field(default_factory=Totals)
    coverage: Coverage = field(default_factory=Coverage)
    left_alone_named: list[str] = field(default_factory=list)

    def add(self, repository: str, deciding: Deciding) -> None:
        """Add a repository."""
        self.candidates += deciding.total
        self.doomed += deciding.doomed
        self.doomed_bytes += deciding.doomed_bytes
        self.coverage.add(deciding.matched)
        self.guarded = deciding.added_to(self.guarded, repository)

    def leave(self, repository: str) -> None:
        """Count a repository that no rule is about."""
        self.coverage.left_alone += 1
        if len(self.left_alone_named) < LEFT_ALONE_SHOWN:
            self.left_alone_named.append(repository)

    @property
    def sentence(self) -> str:
        """The sums, for people."""
        return (
            f"{self.doomed} of {self.candidates} would go from {self.coverage.covered}"
            f" repositories, which frees {shown_bytes(self.doomed_bytes)} at most;"
            f" {self.coverage.left_alone} repositories are covered by no rule"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a preview is of."""

    place: str
    decided_at: datetime
    policy_id: int | None = None


class Form(Protocol):
    """One way to tell a preview; called in this order, `repository` any number of times."""

    media_type: str

    def begin(self, head: Head) -> str:
        """Return what comes first."""
        ...

    def repository(self, name: str, deciding: Deciding) -> Iterator[str]:
        """Yield what is told of a repository."""
        ...

    def end(self, total: Total, asks: Sequence[str]) -> str:
        """Return what comes last; `asks` are why a scheduled run would wait to be approved."""
        ...


def shown(deciding: Deciding) -> Iterator[Verdict]:
    """Yield the verdicts that are listed: all that go, then the first that stay."""
    return chain(deciding.going(), islice(deciding.kept(), KEPT_SHOWN))


class JsonForm:
    """One JSON object."""

    media_type = "application/json"

    def __init__(self) -> None:
        self._separator = ""

    def begin(self, head: Head) -> str:
        """Open the object and the list of repositories."""
        fields: dict[str, Any] = {"place": head.place, "decided_at": head.decided_at}
        if head.policy_id is not None:
            fields["policy_id"] = head.policy_id
        return f'{_json(fields)[:-1]},"repositories":['

    def repository(self, name: str, deciding: Deciding) -> Iterator[str]:
        """Yield an object, an artifact at a time."""
        fields = {
            "repository": name,
            "candidates": deciding.total,
            "doomed": deciding.doomed,
            "doomed_bytes": deciding.doomed_bytes,
            "remarks": list(deciding.remarks),
        }
        yield f'{self._separator}{_json(fields)[:-1]},"artifacts":['
        self._separator = ","
        for place, verdict in enumerate(shown(deciding)):
            yield f"{',' if place else ''}{_json(_fields(verdict))}"
        yield "]}"

    def end(self, total: Total, asks: Sequence[str]) -> str:
        """Close the list, add the sums, close the object."""
        fields = {
            "candidates": total.candidates,
            "doomed": total.doomed,
            "doomed_bytes": total.doomed_bytes,
            "left_alone": {
                "count": total.coverage.left_alone,
                "examples": total.left_alone_named,
            },
            "remarks": list(total.coverage.remarks()),
            "asks": list(asks),
        }
        return f"],{_json(fields)[1:]}\n"


class CsvForm:
    """A line for each artifact (RFC 4180)."""

    media_type = "text/csv"

    def begin(self, head: Head) -> str:
        """Return the names of the columns."""
        del head
        return comma_separated.line(COLUMNS)

    def repository(self, name: str, deciding: Deciding) -> Iterator[str]:
        """Yield the lines of a repository."""
        for verdict in shown(deciding):
            fields = _fields(verdict)
            fields["tags"] = " ".join(verdict.tags)
            for column in ("pushed_at", "used_at"):
                time: datetime | None = fields[column]
                fields[column] = time.isoformat() if time else ""
            yield comma_separated.line([name, *(fields[column] for column in COLUMNS[1:])])

    def end(self, total: Total, asks: Sequence[str]) -> str:
        """Return nothing: sums are for programs to make."""
        del total, asks
        return ""


class HtmlForm:
    """A page."""

    media_type = "text/html"

    def begin(self, head: Head) -> str:
        """Return the head of the page."""
        place = html.escape(head.place)
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
            f"<title>Retention of {place}</title><style>{_STYLE}</style></head><body>"
            f"<h1>What retention would delete in {place}</h1>"
            f"<p>Decided at {head.decided_at:%Y-%m-%d %H:%M:%S} UTC. Nothing was deleted.</p>"
        )

    def repository(self, name: str, deciding: Deciding) -> Iterator[str]:
        """Yield a table."""
        size = shown_bytes(deciding.doomed_bytes)
        yield (
            f"<h2>{html.escape(name)}</h2><p>{deciding.doomed} of {deciding.total} would go, which"
            f" frees {size}.</p>{_listed(deciding.remarks)}<table><tr><th></th><th>Digest</th>"
            "<th>Tags</th><th>Size</th><th>Pushed</th><th>Used</th><th>Why</th></tr>"
        )
        for verdict in shown(deciding):
            yield _row(verdict)
        more = deciding.total - deciding.doomed - KEPT_SHOWN
        yield f"</table>{f'<p>… and {more} more that stay.</p>' if more > 0 else ''}"

    def end(self, total: Total, asks: Sequence[str]) -> str:
        """Return the sums."""
        told = f"<h2>In all</h2><p>{total.sentence}.</p>{_listed(list(total.coverage.remarks()))}"
        if asks:
            told += f"<p>{ASKS}:</p>"
        return f"{told}{_listed(asks)}</body></html>\n"


class TextForm:
    """A table to read."""

    media_type = "text/plain"

    def begin(self, head: Head) -> str:
        """Return what it is of."""
        at = f"{head.decided_at:%Y-%m-%d %H:%M:%S} UTC"
        return f"what retention would delete in {head.place}, decided at {at}\n"

    def repository(self, name: str, deciding: Deciding) -> Iterator[str]:
        """Yield a table."""
        yield f"\n{name}: {deciding.doomed} of {deciding.total} would go\n"
        for remark in deciding.remarks:
            yield f"NOTE: {remark}\n"
        yield f"{retention_table.HEADING}\n"
        for verdict in shown(deciding):
            word = verdict.action.upper()
            yield f"{retention_table.row(word, verdict, verdict.reason)}\n"
        more = deciding.total - deciding.doomed - KEPT_SHOWN
        yield f"… and {more} more that stay\n" if more > 0 else ""

    def end(self, total: Total, asks: Sequence[str]) -> str:
        """Return the sums, and what should be told of the rules."""
        told = [total.sentence, *(f"NOTE: {remark}" for remark in total.coverage.remarks())]
        if asks:
            told.append(f"{ASKS}: {'; '.join(asks)}")
        return "".join(f"\n{line}" for line in told) + "\n"


FORMS: Final[Mapping[str, Callable[[], Form]]] = {
    "json": JsonForm,
    "csv": CsvForm,
    "html": HtmlForm,
    "text": TextForm,
}
_STYLE: Final = (
    "body{font:15px/1.5 sans-serif;margin:2rem}table{border-collapse:collapse}"
    "td,th{padding:.2rem .8rem;text-align:left;border-bottom:1px solid #ddd;vertical-align:top}"
    "tr.goes{background:#fdecea}"
)


def _fields(verdict: Verdict) -> dict[str, Any]:
    return {
        "action": verdict.action,
        "digest": verdict.digest,
        "tags": list(verdict.tags),
        "size_bytes": verdict.size_bytes,
        "pushed_at": verdict.pushed_at,
        "used_at": verdict.used_at,
        "reason": verdict.reason,
    }


def _row(verdict: Verdict) -> str:
    tags = ", ".join(verdict.tags[:_TAGS_SHOWN])
    more = len(verdict.tags) - _TAGS_SHOWN
    cells = (
        verdict.action,
        verdict.digest[: len("sha256:") + 12],
        f"{tags} and {more} more" if more > 0 else tags or "—",
        shown_bytes(verdict.size_bytes),
        f"{verdict.pushed_at:%Y-%m-%d %H:%M}" if verdict.pushed_at else "—",
        f"{verdict.used_at:%Y-%m-%d %H:%M}" if verdict.used_at else "—",
        verdict.reason,
    )
    told = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
    return f"<tr{' class=goes' if verdict.goes else ''}>{told}</tr>"


def _listed(lines: Sequence[str]) -> str:
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _json(fields: Mapping[str, Any]) -> str:
    return orjson.dumps(fields).decode()
