r"""Regular expressions that take time in proportion to the name, whatever they say.

The usual subset: literals, `.`, classes (`[a-z]`, `[^.]`), `\d \w \s` and escapes, `( )` and
`(?: )`, `|`, `* + ? {m,n}` and their reluctant forms. The whole name must match; `^` and `$` may
stand at the ends. No look-around, no references back, no flags. Names are ASCII.

A pattern becomes a small program. Matching tries its ways in the order in which Perl would, and
remembers which instruction was tried at which place: none is tried there twice, so that nothing
makes it slow (RE2's bit-state matcher works like this).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self, assert_never

LENGTH_LIMIT: Final = 256
PROGRAM_LIMIT: Final = 256
_REPEAT_LIMIT: Final = 128
_DEPTH_LIMIT: Final = 16
_ASCII: Final = frozenset(map(chr, range(128)))
_ANYTHING: Final = ((0, 127),)
_KINDS: Final = {
    "d": ((48, 57),),
    "w": ((48, 57), (65, 90), (95, 95), (97, 122)),
    "s": ((9, 13), (32, 32)),
}
_SPECIAL: Final = "\\.^$*+?()[]{}|"


class InvalidExpression(ValueError):
    """The pattern cannot be read; the text says where and why."""


@dataclass(frozen=True, slots=True)
class _One:
    """Takes one character."""

    ranges: tuple[tuple[int, int], ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class _Try:
    """Goes on at `first`, and if that fails at `second`."""

    first: int
    second: int


@dataclass(frozen=True, slots=True)
class _Mark:
    """Writes down where a group begins (even) or ends (odd)."""

    slot: int


@dataclass(frozen=True, slots=True)
class _Group:
    """An expression in brackets; `number` counts the ones that are kept, from 1."""

    number: int | None
    inside: _Either


@dataclass(frozen=True, slots=True)
class _Repeat:
    what: _One | _Group
    least: int
    most: int | None
    reluctant: bool


@dataclass(frozen=True, slots=True)
class _Either:
    options: tuple[tuple[_One | _Group | _Repeat, ...], ...]


_Instruction = _One | _Try | _Mark
# The characters that are taken, or None; where to go on; where else to, or below zero a mark.
_Step = tuple[frozenset[str] | None, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A compiled expression."""

    text: str
    groups: int
    _steps: tuple[_Step, ...]

    @classmethod
    def compile(cls, text: str) -> Self:
        """Return the expression; raise InvalidExpression."""
        if len(text) > LENGTH_LIMIT or not text.isascii():
            raise InvalidExpression(f"it has to be ASCII, at most {LENGTH_LIMIT} characters")
        reader = _Reader(text)
        tree = reader.read()
        program: list[_Instruction] = []
        _emit_either(program, tree)
        steps = tuple(_step(at, instruction) for at, instruction in enumerate(program))
        return cls(text, reader.groups, steps)

    def match(self, name: str) -> tuple[str | None, ...] | None:  # noqa: C901 a tight loop
        """Return what the groups took, None for one that took no part; None without a match."""
        steps, end, width = self._steps, len(self._steps), len(name) + 1
        tried = bytearray((end + 1) * width)
        # Where to go on, or (at an instruction below zero) which mark to take back.
        waiting = [(0, 0)]
        marks = [-1] * (2 * self.groups)
        while waiting:
            at, place = waiting.pop()
            if at < 0:
                marks[~at] = place
                continue
            while not tried[at * width + place]:
                tried[at * width + place] = True
                if at == end:
                    if place == width - 1:
                        return _taken(name, marks)
                    break
                taken, first, second = steps[at]
                if taken is not None:
                    if place == width - 1 or name[place] not in taken:
                        break
                    at, place = first, place + 1
                elif second < 0:
                    waiting.append((second, marks[~second]))
                    marks[~second] = place
                    at = first
                else:
                    waiting.append((second, place))
                    at = first
        return None


def _taken(name: str, marks: list[int]) -> tuple[str | None, ...]:
    return tuple(
        name[start:end] if start >= 0 else None
        for start, end in zip(marks[::2], marks[1::2], strict=True)
    )


def _step(at: int, instruction: _Instruction) -> _Step:
    match instruction:
        case _One(ranges, negated):
            taken = frozenset(chr(code) for low, high in ranges for code in range(low, high + 1))
            return (_ASCII - taken if negated else taken), at + 1, 0
        case _Mark(slot):
            return None, at + 1, ~slot
        case _Try(first, second):
            return None, first, second
        case _:
            assert_never(instruction)


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.groups = 0

    def read(self) -> _Either:
        self.at += self.text.startswith("^")
        tree = self._either(depth=0)
        if self.at < len(self.text):
            raise self._bad("the bracket closes nothing")
        return tree

    def _either(self, *, depth: int) -> _Either:
        if depth > _DEPTH_LIMIT:
            raise self._bad(f"brackets nest deeper than {_DEPTH_LIMIT} levels")
        options = [self._sequence(depth)]
        while self._next("|"):
            options.append(self._sequence(depth))
        return _Either(tuple(options))

    def _sequence(self, depth: int) -> tuple[_One | _Group | _Repeat, ...]:
        found: list[_One | _Group | _Repeat] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            if self.text[self.at :] == "$":
                self.at += 1
                break
            found.append(self._repeated(self._atom(depth)))
        return tuple(found)

    def _atom(self, depth: int) -> _One | _Group:
        character = self.text[self.at]
        self.at += 1
        match character:
            case "(":
                return self._group(depth)
            case "[":
                return self._class()
            case ".":
                return _One(_ANYTHING)
            case "\\":
                return _One(self._escaped())
            case _ if character in _SPECIAL:
                self.at -= 1
                raise self._bad(f"{character!r} repeats or anchors nothing; write \\{character}")
            case _:
                return _One(((ord(character), ord(character)),))

    def _group(self, depth: int) -> _Group:
        number = None
        if self._next("?"):
            if not self._next(":"):
                raise self._bad("only (?: ) is understood of what (? can begin")
        else:
            self.groups += 1
            number = self.groups
        inside = self._either(depth=depth + 1)
        if not self._next(")"):
            raise self._bad("a bracket is never closed")
        return _Group(number, inside)

    def _class(self) -> _One:
        negated = self._next("^")
        ranges: list[tuple[int, int]] = []
        while not (ranges and self._next("]")):
            low = self._member()
            if len(low) > 1 or low[0][0] != low[0][1] or not self._is_range():
                ranges.extend(low)
                continue
            self.at += 1
            high = self._member()
            if len(high) > 1 or high[0][1] < low[0][0]:
                raise self._bad("the range ends before it begins")
            ranges.append((low[0][0], high[0][1]))
        return _One(tuple(ranges), negated)

    def _is_range(self) -> bool:
        return self.text[self.at : self.at + 1] == "-" and self.text[self.at + 1 :][:1] != "]"

    def _member(self) -> tuple[tuple[int, int], ...]:
        if self.at >= len(self.text):
            raise self._bad("a square bracket is never closed")
        character = self.text[self.at]
        self.at += 1
        return self._escaped() if character == "\\" else ((ord(character), ord(character)),)

    def _escaped(self) -> tuple[tuple[int, int], ...]:
        character = self.text[self.at : self.at + 1]
        self.at += 1
        if character in _KINDS:
            return _KINDS[character]
        if not character or (character.isascii() and character.isalnum()):
            self.at -= 1
            raise self._bad(f"\\{character} is not understood")
        return ((ord(character), ord(character)),)

    def _repeated(self, what: _One | _Group) -> _One | _Group | _Repeat:
        bounds = self._bounds()
        if bounds is None:
            return what
        return _Repeat(what, *bounds, reluctant=self._next("?"))

    def _bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._next(sign):
                return bounds
        if not self._next("{"):
            return None
        inside, closed, _ = self.text[self.at :].partition("}")
        least, comma, most = inside.partition(",")
        numbers = [least, *([most] if most else [])]
        if not closed or not all(n.isascii() and n.isdigit() and len(n) <= 3 for n in numbers):  # noqa: PLR2004
            raise self._bad("{ is not followed by m}, m,} or m,n}; write \\{ for a brace")
        self.at += len(inside) + 1
        low, high = int(least), (int(numbers[-1]) if most or not comma else None)
        if max(low, high or 0) > _REPEAT_LIMIT or (high is not None and high < low):
            raise self._bad(f"repetitions are at most {_REPEAT_LIMIT}, the smaller number first")
        return low, high

    def _next(self, sign: str) -> bool:
        found = self.text.startswith(sign, self.at)
        self.at += len(sign) * found
        return found

    def _bad(self, why: str) -> InvalidExpression:
        return InvalidExpression(f"expression {self.text!r}, character {self.at + 1}: {why}")


def _emit_either(program: list[_Instruction], tree: _Either) -> None:
    """Add the options, each but the last tried first."""
    ends: list[int] = []
    for option in tree.options[:-1]:
        fork = _place(program)
        _emit_sequence(program, option)
        ends.append(_place(program))
        program[fork] = _Try(fork + 1, len(program))
    _emit_sequence(program, tree.options[-1])
    for end in ends:
        program[end] = _Try(len(program), len(program))


def _emit_sequence(program: list[_Instruction], parts: tuple[_One | _Group | _Repeat, ...]) -> None:
    for part in parts:
        if isinstance(part, _Repeat):
            _emit_repeat(program, part)
        else:
            _emit_atom(program, part)


def _emit_atom(program: list[_Instruction], atom: _One | _Group) -> None:
    if isinstance(atom, _One):
        program[_place(program)] = atom
        return
    if atom.number is not None:
        program[_place(program)] = _Mark(2 * atom.number - 2)
    _emit_either(program, atom.inside)
    if atom.number is not None:
        program[_place(program)] = _Mark(2 * atom.number - 1)


def _emit_repeat(program: list[_Instruction], repeat: _Repeat) -> None:
    for _ in range(repeat.least):
        _emit_atom(program, repeat.what)
    if repeat.most is None:
        fork = _place(program)
        _emit_atom(program, repeat.what)
        program[_place(program)] = _Try(fork, fork)
        program[fork] = _fork(fork + 1, len(program), repeat)
        return
    forks: list[int] = []
    for _ in range(repeat.most - repeat.least):
        forks.append(_place(program))
        _emit_atom(program, repeat.what)
    for fork in forks:
        program[fork] = _fork(fork + 1, len(program), repeat)


def _fork(inside: int, behind: int, repeat: _Repeat) -> _Try:
    return _Try(behind, inside) if repeat.reluctant else _Try(inside, behind)


def _place(program: list[_Instruction]) -> int:
    """Make room for one instruction, and return where."""
    if len(program) >= PROGRAM_LIMIT:
        raise InvalidExpression(f"it comes to more than {PROGRAM_LIMIT} steps; repeat less")
    program.append(_Mark(0))
    return len(program) - 1
