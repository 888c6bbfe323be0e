"""From what rules said of each unit to what becomes of each artifact."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from math import isnan

from registry.retention import reasons
from registry.retention.closure import Closure
from registry.retention.decision import Decision, Fate, Outcome, RuleCount
from registry.retention.ledger import ALL_TAGS, Ledger
from registry.retention.rule import Action
from registry.retention.rulings import NOBODY, Rulings


def settle(ledger: Ledger, rulings: Rulings, *, rest_goes: bool, now: float) -> Decision:
    """Return the decision about everything in the ledger; `rest_goes`: what no rule keeps."""
    return _Settlement(ledger, rulings, rest_goes=rest_goes, now=now).decision()


class _Settlement:
    """Who stays, and how to say so; all of it can be asked again and again."""

    def __init__(self, ledger: Ledger, rulings: Rulings, *, rest_goes: bool, now: float) -> None:
        self._ledger = ledger
        self._rulings = rulings
        self._rest_goes = rest_goes
        self._now = now
        self._going = bytearray(map(self._goes, count(), rulings.keepers))
        self._counts = tuple(rulings.counts(self._going))
        self._selects_nothing = rest_goes and not any(
            selected for rule, selected, _ in self._counts if rule.action is Action.KEEP
        )
        self._closure = Closure(ledger)
        self._stays = bytearray(map(self._stays_alone, count(), ledger.spans()))
        self._closure.spread(self._stays)

    def _goes(self, unit: int, keeper: int) -> bool:
        """Say what becomes of a unit if nothing else keeps it."""
        if keeper != NOBODY:
            return False
        deleter = self._rulings.deleted_by(unit)
        overrides = deleter is not None and deleter.override_immutable
        goes = self._rest_goes or deleter is not None
        return goes and (overrides or not self._ledger.immutable[unit])

    def _stays_alone(self, artifact: int, units: range) -> bool:
        """Say whether an artifact stays whatever becomes of others."""
        if self._ledger.held[artifact]:
            return True
        if not units:
            return self._closure.leaders[artifact] == NOBODY
        return not all(self._going[units.start : units.stop])

    def decision(self) -> Decision:
        """Add everything up."""
        ledger = self._ledger
        total = retained = deleted_tags = untagged = deleted_bytes = 0
        for artifact, (units, stays) in enumerate(zip(ledger.spans(), self._stays, strict=True)):
            total += bool(units)
            retained += bool(units and stays)
            if not stays:
                deleted_tags += ledger.own_tags[artifact]
                deleted_bytes += ledger.sizes[artifact] if units else 0
            elif self._loses_tags(artifact, units):
                untagged += sum(self._going[units.start : units.stop])
        return Decision(
            total=total,
            retained=retained,
            tags=sum(ledger.own_tags),
            deleted_tags=deleted_tags + untagged,
            untagged=untagged,
            deleted_bytes=deleted_bytes,
            rules=tuple(
                RuleCount(rule=rule.name, selected=selected, decided=decided)
                for rule, selected, decided in self._counts
            ),
            selects_nothing=total > retained and self._selects_nothing,
            _outcomes=self._outcomes,
            _going=self._deletions,
        )

    def _loses_tags(self, artifact: int, units: range) -> bool:
        """Say whether an artifact that stays may lose tags."""
        is_by_tag = bool(units) and self._ledger.tags[units[0]] != ALL_TAGS
        return is_by_tag and not self._ledger.held[artifact]

    def _outcomes(self) -> Iterator[Outcome]:
        for artifact in range(len(self._stays)):
            yield from self._of(artifact)

    def _deletions(self) -> Iterator[Outcome]:
        ledger = self._ledger
        for artifact in ledger.latest_first():
            units = ledger.units_of(artifact)
            goes = bool(units) and not self._stays[artifact]
            if goes or self._loses_tags(artifact, units):
                yield from (one for one in self._of(artifact) if one.fate is not Fate.KEPT)

    def _of(self, artifact: int) -> Iterator[Outcome]:
        """Yield what becomes of an artifact, or of each of its tags."""
        ledger = self._ledger
        digest, names = ledger.names_of(artifact)
        stays = bool(self._stays[artifact])
        units = ledger.units_of(artifact)
        for unit in units:
            tag = ledger.tags[unit]
            fate, reason = self._judged(artifact, unit, names)
            yield Outcome(
                id=ledger.ids[artifact],
                digest=digest,
                tags=names if tag == ALL_TAGS else (names[tag],),
                fate=fate,
                reason=reason,
                size_bytes=ledger.sizes[artifact],
                overrides_immutable=fate is not Fate.KEPT and bool(ledger.immutable[unit]),
                pushed_at=_moment(ledger.pushed[unit]),
                active_at=_moment(ledger.active[unit]),
            )
        if not units:
            yield Outcome(
                id=ledger.ids[artifact],
                digest=digest,
                tags=names,
                fate=Fate.KEPT if stays else Fate.FOLLOWING,
                reason=self._along(artifact),
                size_bytes=ledger.sizes[artifact],
            )

    def _judged(self, artifact: int, unit: int, names: tuple[str, ...]) -> tuple[Fate, str]:
        """Return what becomes of a unit, and why."""
        ledger = self._ledger
        stays, held = bool(self._stays[artifact]), ledger.held[artifact]
        if not self._going[unit]:
            return Fate.KEPT, self._why_kept(unit, names)
        if held:
            return Fate.KEPT, f"kept: {ledger.words[held]}"
        if stays and ledger.tags[unit] == ALL_TAGS:
            return Fate.KEPT, self._along(artifact)
        return (Fate.UNTAGGED if stays else Fate.DELETED), self._why_going(unit)

    def _why_kept(self, unit: int, names: tuple[str, ...]) -> str:
        ledger = self._ledger
        cause = self._rulings.keeping(unit)
        if not (cause or self._rest_goes or self._rulings.deleted_by(unit)):
            cause = self._rulings.sparing(unit)
        if cause:
            return reasons.kept(
                cause,
                pushed_seconds_ago=self._now - ledger.pushed[unit],
                used_seconds_ago=self._now - ledger.active[unit],
            )
        if ledger.immutable[unit] and (self._rest_goes or self._rulings.deleted_by(unit)):
            tag = names[ledger.immutable_tags[unit]]
            return reasons.immutable(tag, ledger.words[ledger.immutable[unit]])
        return reasons.NO_RULE_DELETES

    def _why_going(self, unit: int) -> str:
        ledger = self._ledger
        rule = self._rulings.deleted_by(unit)
        if rule:
            return reasons.deleted(
                rule,
                pushed_seconds_ago=self._now - ledger.pushed[unit],
                used_seconds_ago=self._now - ledger.active[unit],
            )
        return reasons.NOTHING_SELECTED if self._selects_nothing else reasons.NO_RULE_KEEPS

    def _along(self, artifact: int) -> str:
        """Say with whom an artifact stays or goes."""
        ledger, closure = self._ledger, self._closure
        leader, is_child = closure.leaders[artifact], bool(closure.is_child[artifact])
        stays = bool(self._stays[artifact])
        if ledger.held[artifact]:
            return f"kept: {ledger.words[ledger.held[artifact]]}"
        if leader == NOBODY:
            return reasons.APART
        return reasons.along(ledger.digest_of(leader), is_child=is_child, stays=stays)


def _moment(seconds: float) -> datetime | None:
    return None if isnan(seconds) else datetime.fromtimestamp(seconds, UTC)
