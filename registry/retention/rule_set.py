"""All rules of a policy, read at once, and those of them that are in force in a repository."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from registry.retention import criterion, harbor_rule, own_rule
from registry.retention.condition import Annotated
from registry.retention.criterion import Always, Fact, SizeWithin
from registry.retention.errors import InvalidRules
from registry.retention.rule import Action, Rule, TagState


class Scope(StrEnum):
    """What goes: whole artifacts, as in Harbor, or tags, and an artifact with its last one."""

    DIGEST = "digest"
    TAG = "tag"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """Rules in the order in which reports number them: Harbor's, then our own."""

    rules: tuple[Rule, ...] = ()
    scope: Scope = Scope.DIGEST

    @classmethod
    def parse(cls, harbor: object, own: object = None, scope: object = None) -> Self:
        """Read Harbor's `rules`, and `rules` and `scope` of `transship`; raise InvalidRules."""
        if found := tuple(problems(harbor, own, scope)):
            raise InvalidRules(found)
        return cls(
            rules=(
                *(harbor_rule.read(one, n) for n, one in enumerate(_listed(harbor), 1)),
                *(own_rule.read(one, n) for n, one in enumerate(_listed(own), 1)),
            ),
            scope=Scope(str(scope)) if scope else Scope.DIGEST,
        )

    @property
    def harbor(self) -> list[dict[str, Any]]:
        """Harbor's rules in Harbor's form."""
        return [dict(rule.said) for rule in self.rules if rule.harbor]

    @property
    def own(self) -> list[dict[str, Any]]:
        """Our own rules in their form."""
        return [dict(rule.said) for rule in self.rules if not rule.harbor]

    def twins(self) -> tuple[int, int] | None:
        """Return the numbers of two of Harbor's rules that say the same, from 1; None if none do.

        Their ids do not count.
        """
        seen: list[dict[str, Any]] = []
        for rule in self.harbor:
            said = {**rule, "id": 0}
            if said in seen:
                return seen.index(said) + 1, len(seen) + 1
            seen.append(said)
        return None

    def applying_to(self, repository: str) -> Self:
        """Return those in force in a repository, which is named within its project.

        Where there are none, nothing is to be decided.
        """
        rules = tuple(rule for rule in self.rules if rule.applies_to(repository))
        return type(self)(rules=rules, scope=self.scope)

    @property
    def names(self) -> tuple[str, ...]:
        """What reports call the rules in use."""
        return tuple(rule.name for rule in self.rules if not rule.disabled)

    @property
    def deletes_the_rest(self) -> bool:
        """Whether what no rule keeps goes."""
        return any(rule.harbor for rule in self.rules)

    @property
    def annotations(self) -> frozenset[str]:
        """The keys that conditions ask for."""
        return frozenset(
            expression.key
            for rule in self.rules
            if not rule.disabled
            for one in rule.conditions
            if isinstance(one, Annotated)
            for expression in one.expressions
        )

    @property
    def needed(self) -> AbstractSet[Fact]:
        """What has to be known of artifacts to follow all rules in use."""
        return frozenset[Fact]().union(*(facts for _, facts in self.facts()))

    @property
    def asks_configs(self) -> bool:
        """Whether they ask for what the configs of images say, too."""
        return not self.needed.isdisjoint({Fact.ANNOTATIONS, Fact.PLATFORM})

    def facts(self) -> Iterator[tuple[Rule, AbstractSet[Fact]]]:
        """Yield the rules in use, and what has to be known of artifacts to follow them."""
        for rule in self.rules:
            if not rule.disabled:
                conditions = {one.fact for one in rule.conditions}
                yield rule, conditions.union(*map(criterion.facts, rule.criteria))


def problems(harbor: object, own: object = None, scope: object = None) -> Iterator[str]:
    """Yield a sentence for everything that is wrong with rules."""
    found = [
        *_list_problems("rules", harbor, harbor_rule.RULES_LIMIT, harbor_rule.problems),
        *_list_problems("transship.rules", own, own_rule.RULES_LIMIT, own_rule.problems),
    ]
    if scope is not None and scope not in [*Scope]:
        found.append(f"transship.scope: {str(scope)[:80]!r} is not {' or '.join(Scope)}")
    yield from found or [*_scope_problems(_listed(own), scope), *_contradictions(_listed(own))]


def _list_problems(
    name: str, said: object, limit: int, look: Callable[[object, str], Iterator[str]]
) -> Iterator[str]:
    if said is not None and not isinstance(said, list):
        yield f"{name}: is not a list"
    elif said and len(said) > limit:
        yield f"{name}: has {len(said)} rules; at most {limit} are allowed"
    else:
        for index, one in enumerate(_listed(said)):
            yield from look(one, f"{name}[{index}]")


def _scope_problems(own: list[Any], scope: object) -> Iterator[str]:
    for index, said in enumerate(own if scope == Scope.TAG else ()):
        for one in own_rule.read(said, index).criteria:
            if isinstance(one, SizeWithin):
                yield (
                    f"transship.rules[{index}]: total_size_bytes weighs artifacts; it cannot be"
                    " asked for in the scope of tags"
                )


def _contradictions(own: list[Any]) -> Iterator[str]:
    """Name delete rules that can never delete, because a rule keeps all that they select."""
    rules = [own_rule.read(one, number) for number, one in enumerate(own, 1)]
    for index, rule in enumerate(rules):
        for keeper in rules:
            if (
                rule.action is Action.DELETE
                and keeper.action is Action.KEEP
                and Always() in keeper.criteria
                and not keeper.disabled
                and _covers(keeper, rule)
            ):
                yield (
                    f"transship.rules[{index}]: deletes nothing: {keeper.name} keeps everything"
                    " that it selects"
                )


def _covers(keeper: Rule, rule: Rule) -> bool:
    """Say whether one rule selects all that another does, as far as their words tell."""
    return (
        {*keeper.repositories} <= {*rule.repositories}
        and {*keeper.tags} <= {*rule.tags}
        and {*keeper.conditions} <= {*rule.conditions}
        and keeper.types >= rule.types
        and keeper.tag_state in {rule.tag_state, TagState.ANY}
    )


def _listed(said: object) -> list[Any]:
    return said if isinstance(said, list) else []
