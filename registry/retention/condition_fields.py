"""Fields of our own rules that ask of artifacts as a whole: what may be wrong, what they mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from protocol.errors import InvalidPattern
from registry.retention.annotation import AnnotationExpression, InvalidAnnotation
from registry.retention.condition import Annotated, Condition, OnPlatform, PushedBy, Sized
from registry.retention.field import number_problems
from registry.retention.glob import Glob
from registry.retention.rule import Action

LIST_LIMIT: Final = 20
OVER: Final = "larger_than_bytes"
UNDER: Final = "smaller_than_bytes"
_LISTS: Final[Mapping[str, Callable[[str], object]]] = {
    "annotations": AnnotationExpression.parse,
    "platforms": Glob.compile,
    "pushed_by": Glob.compile,
}
_SIZES: Final = (OVER, UNDER)
FIELDS: Final = (*_LISTS, *_SIZES)


def read(said: Mapping[str, Any], action: Action) -> Iterator[Condition]:
    """Yield what fields in which nothing was found ask for."""
    if expressions := tuple(map(AnnotationExpression.parse, said.get("annotations", ()))):
        yield Annotated(expressions=expressions)
    if globs := tuple(map(Glob.compile, said.get("platforms", ()))):
        yield OnPlatform(globs=globs, all_of_it=action is Action.DELETE)
    if globs := tuple(map(Glob.compile, said.get("pushed_by", ()))):
        yield PushedBy(globs=globs)
    sizes = {name: int(said[name]) for name in _SIZES if name in said}
    if sizes:
        yield Sized(over_bytes=sizes.get(OVER), under_bytes=sizes.get(UNDER))


def to_json(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields as they are kept; what asks for nothing is left out."""
    lists = {name: list(said[name]) for name in _LISTS if said.get(name)}
    return {**lists, **{name: int(said[name]) for name in _SIZES if name in said}}


def problems(said: Mapping[str, Any], place: str) -> Iterator[str]:
    """Yield a sentence for everything that is wrong with them."""
    for name, parse in _LISTS.items():
        yield from _list_problems(said.get(name, []), parse, f"{place}.{name}")
    found = [
        problem
        for name in _SIZES
        if name in said
        for problem in number_problems(f"{place}.{name}", said[name], 0, 2**63 - 1)
    ]
    yield from found
    if not found and OVER in said and UNDER in said and said[OVER] + 1 >= said[UNDER]:
        yield f"{place}.{UNDER}: nothing is larger than {said[OVER]} and smaller than {said[UNDER]}"


def _list_problems(said: object, parse: Callable[[str], object], place: str) -> Iterator[str]:
    if not isinstance(said, list) or not all(isinstance(one, str) and one for one in said):
        yield f"{place}: is not a list of texts"
        return
    if len(said) > LIST_LIMIT:
        yield f"{place}: has {len(said)} entries; {LIST_LIMIT} are allowed"
        return
    for index, one in enumerate(said):
        try:
            parse(one)
        except (InvalidAnnotation, InvalidPattern) as error:
            yield f"{place}[{index}]: {error}"
