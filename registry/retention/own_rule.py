"""Rules of our own form, beside Harbor's: they keep or delete, and keeping wins.

A delete rule deletes what it selects `unless` one of its criteria spares it; a keep rule keeps what
it selects `when` one of its criteria holds. Without criteria each means all that it selects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from registry.retention import condition, condition_fields, criterion
from registry.retention.artifact import Type
from registry.retention.criterion import (
    Always,
    Criterion,
    Newest,
    Order,
    PushedWithin,
    SizeWithin,
    Unexpired,
    UsedWithin,
)
from registry.retention.expression import Expression, InvalidExpression
from registry.retention.field import Selection, number_problems, selector_problems, unknown_problems
from registry.retention.harbor_rule import COUNT_LIMIT, DAYS_LIMIT
from registry.retention.rule import Action, Rule, TagState
from registry.selecting import Subject

RULES_LIMIT: Final = 50
_CONDITION: Final = {Action.KEEP: "when", Action.DELETE: "unless"}
_FIELDS: Final = (
    "action",
    "disabled",
    "repositories",
    "tags",
    "tag_state",
    "types",
    *condition_fields.FIELDS,
    "when",
    "unless",
    "override_immutable",
)
_SELECTOR: Final = ("kind", "decoration", "pattern", "extras")
_NUMBERS: Final = {
    "pushed_within_days": DAYS_LIMIT,
    "pulled_within_days": DAYS_LIMIT,
    "total_size_bytes": 2**63 - 1,
}
_CRITERIA: Final = ("newest", *_NUMBERS, "unexpired")


def read(said: Mapping[str, Any], number: int) -> Rule:
    """Return a rule in which `problems` found nothing."""
    action = Action(said["action"])
    repositories = Selection.parse(said.get("repositories", ()), Subject.REPOSITORY)
    tags = Selection.parse(said.get("tags", ()), Subject.TAG)
    types = frozenset(map(Type, said.get("types", Type)))
    default = TagState.ANY if action is Action.KEEP else TagState.TAGGED
    tag_state = TagState(said.get("tag_state", default))
    criteria = tuple(_criteria(said.get(_CONDITION[action], {})))
    merged: dict[str, Any] = {}
    for one in criteria:
        merged |= criterion.to_json(one)
    written = {
        "action": action.value,
        "disabled": said.get("disabled", False),
        "repositories": repositories.to_json(),
        "tags": tags.to_json(),
        "tag_state": tag_state.value,
        "types": sorted(one.value for one in types),
        **condition_fields.to_json(said),
        **({_CONDITION[action]: merged} if merged else {}),
        "override_immutable": said.get("override_immutable", False),
    }
    return Rule(
        name=f"transship rule {number}",
        action=action,
        harbor=False,
        disabled=written["disabled"],
        repositories=repositories.names,
        tags=tags.names,
        tag_state=tag_state,
        types=types,
        conditions=(*tags.conditions, *condition_fields.read(said, action)),
        criteria=criteria or ((Always(),) if action is Action.KEEP else ()),
        override_immutable=written["override_immutable"],
        said=written,
    )


def _criteria(said: Mapping[str, Any]) -> Iterator[Criterion]:
    if newest := said.get("newest"):
        text = newest.get("group")
        yield Newest(
            count=int(newest["count"]),
            by=Order(newest.get("by", Order.PUSH)),
            grouping=Expression.compile(text) if text else None,
        )
    if (days := said.get("pushed_within_days")) is not None:
        yield PushedWithin(days=int(days))
    if (days := said.get("pulled_within_days")) is not None:
        yield UsedWithin(days=int(days))
    if (size_bytes := said.get("total_size_bytes")) is not None:
        yield SizeWithin(size_bytes=int(size_bytes))
    if said.get("unexpired"):
        yield Unexpired()


def problems(said: object, place: str) -> Iterator[str]:
    """Yield a sentence for everything that is wrong with a rule."""
    if not isinstance(said, dict):
        yield f"{place}: is not an object"
        return
    yield from unknown_problems(said, _FIELDS, place)
    for name in ("disabled", "override_immutable"):
        if not isinstance(said.get(name, False), bool):
            yield f"{place}.{name}: is neither true nor false"
    subjects = (("repositories", Subject.REPOSITORY), ("tags", Subject.TAG))
    for name, subject in subjects:
        if said.get(name, []) != []:
            yield from selector_problems(said[name], subject, f"{place}.{name}", own=True)
            yield from _selector_problems(said[name], f"{place}.{name}")
    yield from _types_problems(said, f"{place}.types")
    yield from _state_problems(said, f"{place}.tag_state")
    yield from condition_fields.problems(said, place)
    action = next((one for one in Action if one == said.get("action")), None)
    if action is None:
        shown = str(said.get("action"))[:80]
        yield f"{place}.action: {shown!r} is not known; it is {' or '.join(Action)}"
    else:
        yield from _action_problems(said, action, place)


def _selector_problems(said: object, place: str) -> Iterator[str]:
    """Name what Harbor's selectors may have and these may not."""
    for index, one in enumerate(_listed(said)):
        if isinstance(one, dict):
            yield from unknown_problems(one, _SELECTOR, f"{place}[{index}]")
            if one.get("extras") and one.get("kind") != condition.LABEL:
                yield f"{place}[{index}].extras: the rule's own field `tag_state` says it"


def _types_problems(said: Mapping[str, Any], place: str) -> Iterator[str]:
    types = said.get("types", [*Type])
    if not isinstance(types, list) or not types or not all(one in [*Type] for one in types):
        yield f"{place}: is not a list of some of {', '.join(Type)}"


def _state_problems(said: Mapping[str, Any], place: str) -> Iterator[str]:
    state = said.get("tag_state", TagState.ANY)
    if state not in [*TagState]:
        yield f"{place}: {str(state)[:80]!r} is not known; it is {', '.join(TagState)}"
    elif state == TagState.UNTAGGED and any(map(_is_by_name, _listed(said.get("tags")))):
        yield f"{place}: what has no tag is selected by none; leave out `tags`"


def _is_by_name(selector: object) -> bool:
    return not isinstance(selector, dict) or selector.get("kind") != condition.LABEL


def _listed(said: object) -> list[Any]:
    return said if isinstance(said, list) else []


def _action_problems(said: Mapping[str, Any], action: Action, place: str) -> Iterator[str]:
    for other, word in _CONDITION.items():
        if other is not action and word in said:
            yield f"{place}.{word}: a {action} rule says `{_CONDITION[action]}`"
    if action is Action.KEEP and said.get("override_immutable"):
        yield f"{place}.override_immutable: a keep rule deletes nothing"
    condition = said.get(_CONDITION[action], {})
    yield from _condition_problems(condition, f"{place}.{_CONDITION[action]}")


def _condition_problems(said: object, place: str) -> Iterator[str]:
    if not isinstance(said, dict):
        yield f"{place}: is not an object"
        return
    yield from unknown_problems(said, _CRITERIA, place)
    for name, limit in _NUMBERS.items():
        if name in said:
            yield from number_problems(f"{place}.{name}", said[name], 0, limit)
    if said.get("unexpired", True) is not True:
        yield f"{place}.unexpired: is true, or is left out"
    if "newest" in said:
        yield from _newest_problems(said["newest"], f"{place}.newest")


def _newest_problems(said: object, place: str) -> Iterator[str]:
    if not isinstance(said, dict):
        yield f"{place}: is not an object"
        return
    yield from unknown_problems(said, ("count", "by", "group"), place)
    yield from number_problems(f"{place}.count", said.get("count"), 1, COUNT_LIMIT)
    if said.get("by", Order.PUSH) not in [*Order]:
        yield f"{place}.by: {str(said['by'])[:80]!r} is not known; it is {', '.join(Order)}"
    if (group := said.get("group")) is None:
        return
    try:
        if not Expression.compile(str(group)).groups:
            yield f"{place}.group: has no brackets; the first ones name the group"
    except InvalidExpression as error:
        yield f"{place}.group: {error}"
