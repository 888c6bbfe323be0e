"""Immutable tag rules in Harbor's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jobservice.api.models import immutable as models
from jobservice.errors import InvalidRequest
from registry import selecting
from registry.immutability import ImmutableRule
from registry.selecting import Selector, Subject

ACTION: Final = "immutable"
TEMPLATE: Final = "immutable_template"
REPOSITORY: Final = "repository"
# Excluding one of these excludes everything.
_EVERYTHING: Final = {Subject.TAG: {"*", "**"}, Subject.REPOSITORY: {"**"}}


def rule(found: ImmutableRule) -> models.ImmutableRule:
    """Show a rule."""
    return models.ImmutableRule(
        id=found.id,
        priority=found.priority,
        disabled=found.disabled,
        action=ACTION,
        template=TEMPLATE,
        tag_selectors=[_shown(found.tag)],
        scope_selectors={REPOSITORY: [_shown(found.repository)]},
    )


def _shown(selector: Selector) -> models.ImmutableSelector:
    return models.ImmutableSelector.model_validate(selector.to_json())


def asked_for(body: models.ImmutableRule, *, rule_id: int = 0) -> ImmutableRule:
    """Read a rule; raise InvalidRequest with all that is wrong with it."""
    tags, repositories = _selectors(body)
    problems = [
        *_fixed_problems("action", body.action, ACTION),
        *_fixed_problems("template", body.template, TEMPLATE),
        *_selector_problems("tag_selectors", tags, Subject.TAG),
        *_selector_problems(f"scope_selectors.{REPOSITORY}", repositories, Subject.REPOSITORY),
    ]
    if problems:
        raise InvalidRequest(problems)
    return ImmutableRule(
        id=rule_id,
        repository=Selector.parse(_said(repositories[0]), Subject.REPOSITORY),
        tag=Selector.parse(_said(tags[0]), Subject.TAG),
        disabled=bool(body.disabled),
        priority=body.priority or 0,
    )


def want_id(body: models.ImmutableRule, rule_id: int) -> None:
    """Raise InvalidRequest unless a body names the rule that the path names, as Harbor wants."""
    if body.id != rule_id:
        told = "is missing" if body.id is None else f"{body.id} is not the rule of the path"
        raise InvalidRequest([f"id: {told}; send {rule_id}"])


def ignored(body: models.ImmutableRule) -> Iterator[str]:
    """Yield what has no effect, in Harbor neither: all selectors but the first, and parameters."""
    tags, repositories = _selectors(body)
    yield from (f"tag_selectors[{number}]" for number in range(1, len(tags)))
    yield from (f"scope_selectors.{REPOSITORY}[{number}]" for number in range(1, len(repositories)))
    yield from (
        f"scope_selectors.{name}" for name in body.scope_selectors or {} if name != REPOSITORY
    )
    yield from (f"params.{name}" for name in body.params or {})
    if tags and tags[0].extras:
        yield "tag_selectors[0].extras"
    if repositories and repositories[0].extras:
        yield f"scope_selectors.{REPOSITORY}[0].extras"


def ignored_by_switch(body: models.ImmutableRule, standing: ImmutableRule) -> Iterator[str]:
    """Yield what a change of `disabled` leaves as it is, as in Harbor, though something is said."""
    now = rule(standing).model_dump(exclude_none=True)
    said = body.model_dump(exclude_none=True, exclude={"id", "disabled"})
    yield from (name for name, value in said.items() if name in now and value != now[name])


def _selectors(
    body: models.ImmutableRule,
) -> tuple[list[models.ImmutableSelector], list[models.ImmutableSelector]]:
    return body.tag_selectors or [], (body.scope_selectors or {}).get(REPOSITORY, [])


def _said(selector: models.ImmutableSelector) -> dict[str, object]:
    """Return what counts of a selector: a tag is asked about, never what has none."""
    return selector.model_dump(include={"kind", "decoration", "pattern"})


def _fixed_problems(name: str, said: str | None, known: str) -> Iterator[str]:
    if said and said != known:
        yield f"{name}: {said[:80]!r} is not known; it is {known}"


def _selector_problems(
    name: str, selectors: list[models.ImmutableSelector], subject: Subject
) -> Iterator[str]:
    if not selectors:
        yield f"{name}: is missing; without a selector the rule takes nothing"
        return
    said = _said(selectors[0])
    found = tuple(selecting.problems(said, subject, place=f"{name}.0"))
    yield from found
    if not found and _takes_nothing(Selector.parse(said, subject), subject):
        yield f"{name}.0.pattern: excluding {said['pattern']} the rule takes nothing"


def _takes_nothing(selector: Selector, subject: Subject) -> bool:
    return not selector.is_matching and selector.pattern in _EVERYTHING[subject]
