"""Rules as Harbor writes them: each retains something, and what no rule retains goes.

Template, parameter and selectors as harbor-swagger.yaml has them (RetentionRule); the numbers that
are allowed are those of Harbor's own checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from registry.retention.criterion import Always, Criterion, Newest, Order, PushedWithin, UsedWithin
from registry.retention.field import Selection, number_problems, selector_problems, unknown_problems
from registry.retention.rule import ALL_TYPES, Action, Rule
from registry.selecting import Subject

RULES_LIMIT: Final = 15
COUNT_LIMIT: Final = 2**15 - 2
DAYS_LIMIT: Final = 20190904
RETAIN: Final = "retain"
REPOSITORY: Final = "repository"


class Template:
    """What a template asks for: its one number, with its unit and limit, or none."""

    def __init__(
        self, unit: str, limit: int, criterion: Callable[[int], Criterion], *, is_listed: bool
    ) -> None:
        self.unit = unit
        self.limit = limit
        self.criterion = criterion
        self.is_listed = is_listed


def _newest(by: Order) -> Callable[[int], Criterion]:
    return lambda count: Newest(count=count, by=by)


def _pushed(days: int) -> Criterion:
    return PushedWithin(days=days)


def _used(days: int) -> Criterion:
    return UsedWithin(days=days)


# Those that are not listed Harbor knows, and does not offer.
TEMPLATES: Final[Mapping[str, Template]] = {
    "latestPushedK": Template("count", COUNT_LIMIT, _newest(Order.PUSH), is_listed=True),
    "latestPulledN": Template("count", COUNT_LIMIT, _newest(Order.PULL), is_listed=True),
    "nDaysSinceLastPull": Template("days", DAYS_LIMIT, _used, is_listed=True),
    "nDaysSinceLastPush": Template("days", DAYS_LIMIT, _pushed, is_listed=True),
    "always": Template("", 0, lambda _: Always(), is_listed=True),
    "latestActiveK": Template("count", COUNT_LIMIT, _newest(Order.PULL), is_listed=False),
    "lastXDays": Template("days", DAYS_LIMIT, _pushed, is_listed=False),
}


def read(said: Mapping[str, Any], number: int) -> Rule:
    """Return a rule in which `problems` found nothing."""
    name = said["template"]
    template = TEMPLATES[name]
    value = int(said["params"][name]) if template.unit else 0
    tags = Selection.parse(said["tag_selectors"], Subject.TAG)
    repositories = Selection.parse(said["scope_selectors"][REPOSITORY], Subject.REPOSITORY)
    written = {
        "id": said.get("id") or 0,
        "priority": said.get("priority") or 0,
        "disabled": said.get("disabled") or False,
        "action": RETAIN,
        "template": name,
        "params": {name: value} if template.unit else {},
        "tag_selectors": tags.to_json(),
        "scope_selectors": {REPOSITORY: repositories.to_json()},
    }
    return Rule(
        name=f"rule {number}",
        action=Action.KEEP,
        harbor=True,
        disabled=written["disabled"],
        repositories=repositories.names,
        tags=tags.names,
        tag_state=None,
        types=ALL_TYPES,
        conditions=tags.conditions,
        criteria=(template.criterion(value),),
        override_immutable=False,
        said=written,
    )


def problems(said: object, place: str) -> Iterator[str]:
    """Yield a sentence for everything that is wrong with a rule.

    Fields that Harbor does not know are the caller's to name.
    """
    if not isinstance(said, dict):
        yield f"{place}: is not an object"
        return
    for name in ("id", "priority"):
        yield from number_problems(f"{place}.{name}", said.get(name, 0) or 0, 0, 2**31 - 1)
    if not isinstance(said.get("disabled") or False, bool):
        yield f"{place}.disabled: is neither true nor false"
    if said.get("action") != RETAIN:
        yield f"{place}.action: {_shown(said.get('action'))}; it is {RETAIN}"
    yield from _template_problems(said, place)
    yield from selector_problems(said.get("tag_selectors"), Subject.TAG, f"{place}.tag_selectors")
    yield from _scope_problems(said.get("scope_selectors"), f"{place}.scope_selectors")


def _template_problems(said: Mapping[str, Any], place: str) -> Iterator[str]:
    name = said.get("template")
    template = TEMPLATES.get(name) if isinstance(name, str) else None
    if template is None:
        yield f"{place}.template: {_shown(name)}; it is one of {', '.join(TEMPLATES)}"
        return
    params = said.get("params") or {}
    if not isinstance(params, dict):
        yield f"{place}.params: is not an object"
    elif template.unit and name not in params:
        yield f"{place}.params.{name}: is missing"
    elif template.unit:
        yield from number_problems(f"{place}.params.{name}", params[name], 0, template.limit)


def _scope_problems(scope: object, place: str) -> Iterator[str]:
    if not isinstance(scope, dict):
        yield f"{place}: is missing; it has the selectors of repositories"
        return
    yield from unknown_problems(scope, (REPOSITORY,), place)
    inside = scope.get(REPOSITORY)
    yield from selector_problems(inside, Subject.REPOSITORY, f"{place}.{REPOSITORY}")


def _shown(word: object) -> str:
    return f"{str(word)[:80]!r} is not known" if word else "is missing"
