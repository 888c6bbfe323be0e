r"""Glob patterns as Harbor's filters have them: bmatcuk/doublestar v1.3.4.

`*` any run of characters but `/`; `**` as a whole segment any number of segments (`a/**` does not
match `a`); `?` one character but `/`; `[a-z]`, `[^a]` classes (`!` does not negate); `{a,b}`
alternatives, nested as deep as 32, `/` allowed within; `\` takes the next character as it is. The
whole name must match, case counts.

Differences, each towards what was meant: a bad pattern is refused when it is compiled rather than
when a name happens to reach the mistake; braces may hold a `/` or be left over at the end of a
segment, and `***` may match nothing there, where v1.3.4 answers an error or no; every place where
a `*` can end is tried.

The pattern becomes a graph of steps, at most two per character; a name is matched by walking the
set of steps that are possible, and each such set is remembered, so nothing makes it slow.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Self

from typing_extensions import override

from protocol.errors import InvalidPattern

LENGTH_LIMIT: Final = 4096
_NESTING_LIMIT: Final = 32
_REMEMBERED_LIMIT: Final = 4096


@dataclass(frozen=True, slots=True, eq=False)
class _End:
    """The name must end here."""


@dataclass(frozen=True, slots=True, eq=False)
class _Rest:
    """Whatever follows matches: a last `**`."""


@dataclass(frozen=True, slots=True, eq=False)
class _Exactly:
    character: str
    next: _Step


@dataclass(frozen=True, slots=True, eq=False)
class _AnyOne:
    next: _Step


@dataclass(frozen=True, slots=True, eq=False)
class _Class:
    ranges: tuple[tuple[str, str], ...]
    negated: bool
    next: _Step


@dataclass(frozen=True, slots=True, eq=False)
class _Star:
    next: _Step


@dataclass(frozen=True, slots=True, eq=False)
class _Either:
    options: tuple[_Step, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Segments:
    """`**/`: at the start of a segment; the next step may begin here or at any later segment."""

    next: _Step


@dataclass(frozen=True, slots=True, eq=False)
class _Skipping:
    """Within a segment that a `**` swallows."""

    origin: _Segments


_Step = _End | _Rest | _Exactly | _AnyOne | _Class | _Star | _Either | _Segments | _Skipping


@dataclass(slots=True, eq=False)
class _State:
    """A set of steps that are possible at once, and where each character has led from it."""

    steps: frozenset[_Step]
    accepts: bool
    following: dict[str, _State] = field(default_factory=dict)


class Pattern:
    """A compiled pattern."""

    def __init__(self, text: str, first: _Step) -> None:
        self.text = text
        self._start = frozenset(_closure([first]))
        self._forget()

    @classmethod
    def compile(cls, text: str) -> Self:
        """Return the pattern; raise InvalidPattern with the position (from 1) of the mistake."""
        if len(text) > LENGTH_LIMIT:
            raise InvalidPattern(
                f"the pattern has {len(text)} characters; at most 4096 are allowed"
            )
        return cls(text, _Compiler(text).compile())

    def matches(self, name: str) -> bool:
        """Say whether the whole of `name` matches."""
        state = self._states[self._start]
        for character in name:
            try:
                state = state.following[character]
            except KeyError:
                state = self._step(state, character)
            if not state.steps:
                return False
        return state.accepts

    def _step(self, state: _State, character: str) -> _State:
        if self._remembered >= _REMEMBERED_LIMIT:
            self._forget()
        moved = [after for step in state.steps for after in _advance(step, character)]
        steps = frozenset(_closure(moved))
        following = self._states.get(steps)
        if following is None:
            following = self._states[steps] = _State(steps, _accepts(steps))
        state.following[character] = following
        self._remembered += 1
        return following

    def _forget(self) -> None:
        self._states = {self._start: _State(self._start, _accepts(self._start))}
        self._remembered = 0

    @override
    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"


def _accepts(steps: frozenset[_Step]) -> bool:
    return any(isinstance(step, _End | _Rest) for step in steps)


def _closure(steps: list[_Step]) -> set[_Step]:
    """Return every step that can be taken next without consuming a character."""
    seen: set[_Step] = set()
    waiting = steps
    while waiting:
        step = waiting.pop()
        if step in seen:
            continue
        seen.add(step)
        match step:
            case _Star():
                waiting.append(step.next)
            case _Either():
                waiting.extend(step.options)
            case _Segments():
                waiting.extend((step.next, _Skipping(step)))
            case _:
                pass
    return seen


def _advance(step: _Step, character: str) -> tuple[_Step, ...]:
    """Return where one character leads from a step."""
    match step:
        case _Rest():
            return (step,)
        case _Skipping():
            return (step.origin,) if character == "/" else (step,)
        case _Star() if character != "/":
            return (step,)
        case _Exactly() | _AnyOne() | _Class() if _admits(step, character):
            return (step.next,)
        case _:
            return ()


def _admits(step: _Exactly | _AnyOne | _Class, character: str) -> bool:
    if isinstance(step, _Exactly):
        return step.character == character
    if isinstance(step, _AnyOne):
        return character != "/"
    within = any(low <= character <= high for low, high in step.ranges)
    return within != step.negated and character != "/"


# What a pattern says, token by token, before it is linked from its end to its start.
@dataclass(frozen=True, slots=True)
class _Literal:
    character: str


@dataclass(frozen=True, slots=True)
class _Braces:
    options: tuple[tuple[_Token, ...], ...]


@dataclass(frozen=True, slots=True)
class _Set:
    ranges: tuple[tuple[str, str], ...]
    negated: bool


_Token = _Literal | _Braces | _Set | str  # a str is one of "*", "?" and "/"


class _Compiler:
    """Reads a pattern from left to right and links its steps from right to left."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def compile(self) -> _Step:
        tokens = self._sequence(depth=0)
        return _segment_start(_link(tokens, _End()))

    def _sequence(self, *, depth: int) -> tuple[_Token, ...]:
        """Read up to the end, or within braces up to a comma or the closing brace."""
        tokens: list[_Token] = []
        while self.at < len(self.text):
            character = self.text[self.at]
            if depth and character in ",}":
                break
            tokens.append(self._token(character, depth))
        return tuple(tokens)

    def _token(self, character: str, depth: int) -> _Token:
        start = self.at
        self.at += 1
        match character:
            case "*" | "?" | "/":
                return character
            case "\\":
                escaped = self._escaped(start)
                return escaped if escaped == "/" else _Literal(escaped)
            case "[":
                return self._set(start)
            case "{":
                return self._braces(start, depth + 1)
            case _:
                return _Literal(character)

    def _escaped(self, start: int) -> str:
        if self.at >= len(self.text):
            raise self._bad("the backslash escapes nothing", start)
        self.at += 1
        return self.text[self.at - 1]

    def _braces(self, start: int, depth: int) -> _Braces:
        if depth > _NESTING_LIMIT:
            raise self._bad(f"braces nest deeper than {_NESTING_LIMIT} levels", start)
        options = [self._sequence(depth=depth)]
        while self.text[self.at : self.at + 1] == ",":
            self.at += 1
            options.append(self._sequence(depth=depth))
        if self.at >= len(self.text):
            raise self._bad("the brace is never closed", start)
        self.at += 1
        return _Braces(tuple(options))

    def _set(self, start: int) -> _Set:
        negated = self.text[self.at : self.at + 1] == "^"
        self.at += negated
        ranges: list[tuple[str, str]] = []
        while (character := self.text[self.at : self.at + 1]) != "]":
            if not character:
                raise self._bad("the bracket is never closed", start)
            low = self._member(start)
            high = low
            if self.text[self.at : self.at + 1] == "-":
                self.at += 1
                high = self._member(start)
            ranges.append((low, high))
        self.at += 1
        if not ranges and not negated:
            raise self._bad("the brackets are empty; write \\] for a bracket among others", start)
        return _Set(tuple(ranges), negated)

    def _member(self, start: int) -> str:
        character = self.text[self.at : self.at + 1]
        position = self.at
        self.at += 1
        if character in {"-", "]", ""}:
            raise self._bad("a range within brackets lacks an end; write \\- for a dash", start)
        return self._escaped(position) if character == "\\" else character

    def _bad(self, why: str, position: int) -> InvalidPattern:
        return InvalidPattern(f"pattern {self.text[:200]!r}, character {position + 1}: {why}")


def _link(tokens: tuple[_Token, ...], following: _Step) -> _Step:
    for token in reversed(tokens):
        following = _step_for(token, following)
    return following


def _step_for(token: _Token, following: _Step) -> _Step:
    match token:
        case _Literal():
            return _Exactly(token.character, following)
        case _Set():
            return _Class(token.ranges, token.negated, following)
        case _Braces():
            return _Either(tuple(_link(option, following) for option in token.options))
        case "*":
            return _Star(following)
        case "?":
            return _AnyOne(following)
        case _:
            return _Exactly("/", _segment_start(following))


def _segment_start(step: _Step) -> _Step:
    """Give two stars that are a whole segment their meaning."""
    if not (isinstance(step, _Star) and isinstance(step.next, _Star)):
        return step
    match step.next.next:
        case _End():
            return _Rest()
        case _Exactly(character="/") as slash:
            return _Segments(slash.next)
        case _:
            return step
