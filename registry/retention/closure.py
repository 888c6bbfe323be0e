"""What is kept along: children of what is kept, and what refers to it, however deep."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from operator import and_
from typing import Final

from protocol import referrers
from registry.retention.ledger import Ledger

NOBODY: Final = -1
_SAID_IN_TAGS: Final = len("sha256:") + 64


class Closure:
    """Who follows whom.

    `leaders` has for each artifact the one that it is kept for, or else one that it goes with, or
    NOBODY; `is_child` tells children from referrers.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.leaders = array("i", [NOBODY]) * len(ledger.ids)
        self.is_child = bytearray(len(ledger.ids))
        self._followers = array("i")
        self._led_by = array("i")
        self._children = 0
        self._resolve_parents(ledger)
        self._resolve_subjects(ledger)
        order = sorted(range(len(self._led_by)), key=self._led_by.__getitem__)
        self._order = array("i", order)

    def _resolve_parents(self, ledger: Ledger) -> None:
        wanted = set(ledger.parent_ids)
        places = {one: place for place, one in enumerate(ledger.ids) if one in wanted}
        for child, parent in zip(ledger.children, ledger.parent_ids, strict=True):
            if parent in places:
                self._link(child, places[parent], is_child=True)
        self._children = len(self._followers)

    def _resolve_subjects(self, ledger: Ledger) -> None:
        wanted = {_key(ledger.subjects[number]) for number in range(len(ledger.subjects))}
        places: dict[int, int] = {}
        for place in range(len(ledger.ids) if wanted else 0):
            key = _key(ledger.names[place])
            if key in wanted:
                places[key] = place
        for number, referrer in enumerate(ledger.referrers):
            subject = ledger.subjects[number]
            place = places.get(_key(subject), NOBODY)
            if place not in {NOBODY, referrer} and ledger.names[place].startswith(subject):
                self._link(referrer, place, is_child=False)

    def _link(self, follower: int, leader: int, *, is_child: bool) -> None:
        self._followers.append(follower)
        self._led_by.append(leader)
        self.leaders[follower] = leader
        self.is_child[follower] = is_child

    def spread(self, stays: bytearray) -> None:
        """Let everything stay that follows what stays."""
        leads = bytearray(len(stays))
        for leader in self._led_by:
            leads[leader] = True
        waiting = [place for place, one in enumerate(map(and_, leads, stays)) if one]
        while waiting:
            leader = waiting.pop()
            at = bisect_left(self._order, leader, key=self._led_by.__getitem__)
            while at < len(self._order) and self._led_by[self._order[at]] == leader:
                edge = self._order[at]
                follower = self._followers[edge]
                at += 1
                if not stays[follower]:
                    stays[follower] = True
                    self.leaders[follower] = leader
                    self.is_child[follower] = edge < self._children
                    waiting.append(follower)


def _key(name: str) -> int:
    """Return what stands for a digest, or for what a tag says of one: that much they share."""
    return hash(name[:_SAID_IN_TAGS])


def subject_of(tag: str) -> str | None:
    """Return the beginning of the digest that a tag accompanies; None for a tag of its own."""
    if not tag.startswith("sha") or not referrers.is_companion_tag(tag):
        return None
    algorithm, _, rest = tag.partition("-")
    return f"{algorithm}:{rest.partition('.')[0]}"
