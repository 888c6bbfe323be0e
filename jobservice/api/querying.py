"""Harbor's grammar for lists: `q`, `sort`, `page` and `page_size`.

`q` is `k=v` (exact), `k=~v` (contains), `k=[low~high]` (range, either end may be empty),
`k={v1 v2}` (any of); conditions are separated by commas and must all hold. Text within ranges and
lists may be quoted with " or '. Fields that a list of Harbor's does not have are ignored, as Harbor
does, and reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from typing import assert_never

from jobservice.domain import listing
from jobservice.domain.listing import Condition, Order, Scalar
from jobservice.errors import InvalidRequest

QUOTES = "\"'"
BRACKETS = {"[": "]", "{": "}", "(": ")"}
INTEGER_LIMIT = 2**63
WORD = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|(\S+))""")


class FieldType(Enum):
    """What a list's field holds."""

    TEXT = auto()
    INTEGER = auto()
    BOOLEAN = auto()
    TIME = auto()


Fields = Mapping[str, FieldType]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What was understood, and the names that were not."""

    conditions: tuple[Condition, ...]
    order: tuple[Order, ...]
    ignored: tuple[str, ...]


def parse(
    q: str | None, sort: str | None, fields: Fields, *, refuses_unknown: bool = False
) -> Parsed:
    """Read `q` and `sort`; raise InvalidRequest with everything that does not parse.

    Our own lists refuse what they do not have, too.
    """
    conditions: list[Condition] = []
    problems: list[str] = []
    ignored: list[str] = []
    for part in _split(q or ""):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            problems.append(f"q: {part!r} is not k=v, k=~v, k=[low~high] or k={{v1 v2}}")
        elif name.strip() not in fields:
            ignored.append(f"q: {name.strip()}")
        else:
            try:
                conditions.append(_condition(name.strip(), value.strip(), fields[name.strip()]))
            except ValueError as problem:
                problems.append(f"q: {part!r}: {problem}")
    order, unknown = _order(sort or "", fields)
    ignored += unknown
    if refuses_unknown:
        known = ", ".join(fields)
        problems += [f"{name} is not known; known are {known}" for name in ignored]
    if problems:
        raise InvalidRequest(problems)
    return Parsed(conditions=tuple(conditions), order=order, ignored=tuple(ignored))


def _split(text: str) -> Iterator[str]:
    """Cut at commas that are outside of quotes and brackets."""
    part, closing = "", ""
    for character in text:
        if closing:
            closing = "" if character == closing else closing
        elif character == ",":
            yield from [part] if part.strip() else []
            part = ""
            continue
        elif character in QUOTES:
            closing = character
        else:
            closing = BRACKETS.get(character, "")
        part += character
    if part.strip():
        yield part


def _condition(name: str, value: str, kind: FieldType) -> Condition:
    if value.startswith("~"):
        if kind is not FieldType.TEXT:
            message = f"{name} is no text, k=~v does not apply"
            raise ValueError(message)
        return listing.Contains(field=name, text=_unquoted(value[1:]))
    if value[:1] in BRACKETS and value:
        return _bracketed(name, value, kind)
    return listing.Equals(field=name, value=scalar(_unquoted(value), kind))


def _bracketed(name: str, value: str, kind: FieldType) -> Condition:
    opening, inside, closing = value[0], value[1:-1], value[-1]
    if len(value) == 1 or closing != BRACKETS[opening]:
        message = f"{BRACKETS[opening]!r} is missing"
        raise ValueError(message)
    if opening == "[":
        low, tilde, high = inside.partition("~")
        if not tilde:
            message = "a range is [low~high]"
            raise ValueError(message)
        return listing.Between(field=name, low=_end(low, kind), high=_end(high, kind))
    if opening == "(":
        message = f"{name} has one value, no list has all of (v1 v2); use {{v1 v2}} for any of them"
        raise ValueError(message)
    words = [a or b or c for a, b, c in WORD.findall(inside)]
    return listing.AnyOf(field=name, values=tuple(scalar(word, kind) for word in words))


def _end(text: str, kind: FieldType) -> Scalar | None:
    text = text.strip()
    return scalar(_unquoted(text), kind) if text else None


def _unquoted(text: str) -> str:
    quoted = len(text) > 1 and text[0] in QUOTES and text[-1] == text[0]
    return text[1:-1] if quoted else text


def scalar(text: str, kind: FieldType) -> Scalar:
    """Read a value of a field; raise ValueError with the sentence."""
    match kind:
        case FieldType.TEXT:
            return text
        case FieldType.INTEGER:
            return _integer(text)
        case FieldType.BOOLEAN:
            return _boolean(text)
        case FieldType.TIME:
            return _time(text)
        case _:
            assert_never(kind)


def _integer(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,19}", text) or not -INTEGER_LIMIT <= int(text) < INTEGER_LIMIT:
        message = f"{text!r} is not an integer"
        raise ValueError(message)
    return int(text)


def _boolean(text: str) -> bool:
    known = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in known:
        message = f"{text!r} is neither true nor false"
        raise ValueError(message)
    return known[text.lower()]


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is not a time as in 2020-04-09 02:36:00"
        raise ValueError(message) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _order(sort: str, fields: Fields) -> tuple[tuple[Order, ...], tuple[str, ...]]:
    order: list[Order] = []
    ignored: list[str] = []
    for part in filter(None, (word.strip() for word in sort.split(","))):
        name = part.removeprefix("-")
        if name in fields:
            order.append(Order(field=name, descending=part.startswith("-")))
        else:
            ignored.append(f"sort: {name}")
    return tuple(order), tuple(ignored)
