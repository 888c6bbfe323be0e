"""Which kinds of registry there are, found through the entry-point group `transship.adapters`.

Built-in kinds come through the same door. A kind that two distributions offer is nobody's: neither
is used, because which of them would win is an accident of installation; only Transship's own kinds
cannot be taken away. What cannot be used is reported with its distribution and hides nothing else.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from itertools import groupby
from operator import attrgetter

from adapters.base import ENTRY_POINT_GROUP, Adapter, AdapterContext, AdapterInfo
from adapters.errors import BrokenPlugin, UnknownKind

OWN_DISTRIBUTION = "transship"

# What executing a stranger's module at import is known to raise.
_IMPORT_FAILURES = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The usable adapters by kind, and why others are not usable."""

    adapters: Mapping[str, type[Adapter]]
    broken: tuple[BrokenPlugin, ...] = ()

    def infos(self) -> dict[str, AdapterInfo]:
        """Return what each usable kind declares, in the order of their names."""
        return {kind: self.adapters[kind].info for kind in sorted(self.adapters)}

    def build(self, context: AdapterContext) -> Adapter:
        """Build the adapter of an endpoint; raise BrokenPlugin or UnknownKind."""
        kind = context.endpoint.kind
        if kind in self.adapters:
            return self.adapters[kind](context)
        for problem in self.broken:
            if problem.kind == kind:
                raise problem
        raise UnknownKind(kind, known=tuple(sorted(self.adapters)))


def discover(entry_points: Iterable[metadata.EntryPoint]) -> Catalogue:
    """Load the adapters that entry points name."""
    adapters: dict[str, type[Adapter]] = {}
    broken: list[BrokenPlugin] = []
    by_kind = groupby(sorted(entry_points, key=attrgetter("name")), key=attrgetter("name"))
    for kind, claims in by_kind:
        try:
            chosen = _only_claim(kind, list(claims))
            adapters[kind] = _load(chosen)
        except BrokenPlugin as problem:
            broken.append(problem)
    return Catalogue(adapters=adapters, broken=tuple(broken))


@functools.cache
def installed() -> Catalogue:
    """Return the adapters of this environment; what is installed does not change while we run."""
    return discover(metadata.entry_points(group=ENTRY_POINT_GROUP))


def kinds() -> dict[str, AdapterInfo]:
    """Return what each usable kind of this environment declares."""
    return installed().infos()


def build(context: AdapterContext) -> Adapter:
    """Build the adapter for an endpoint; raise UnknownKind or BrokenPlugin."""
    return installed().build(context)


def _only_claim(kind: str, claims: list[metadata.EntryPoint]) -> metadata.EntryPoint:
    by_distribution = {_distribution(claim): claim for claim in claims}
    if OWN_DISTRIBUTION in by_distribution:
        return by_distribution[OWN_DISTRIBUTION]
    if len(by_distribution) > 1:
        names = " and ".join(sorted(by_distribution))
        raise BrokenPlugin(kind, distribution=names, reason="both offer the same kind")
    return claims[0]


def _load(entry_point: metadata.EntryPoint) -> type[Adapter]:
    kind, distribution = entry_point.name, _distribution(entry_point)
    try:
        found = entry_point.load()
    except _IMPORT_FAILURES as error:
        reason = f"{entry_point.value} does not load: {type(error).__name__}: {error}"
        raise BrokenPlugin(kind, distribution=distribution, reason=reason) from error
    if not (isinstance(found, type) and issubclass(found, Adapter)):
        reason = f"{entry_point.value} is no subclass of adapters.base.Adapter"
        raise BrokenPlugin(kind, distribution=distribution, reason=reason)
    declared = getattr(found, "info", None)
    if not isinstance(declared, AdapterInfo) or declared.kind != kind:
        reason = f"{entry_point.value}.info does not declare the kind {kind!r}"
        raise BrokenPlugin(kind, distribution=distribution, reason=reason)
    return found


def _distribution(entry_point: metadata.EntryPoint) -> str:
    return entry_point.dist.name if entry_point.dist else "an unknown distribution"
