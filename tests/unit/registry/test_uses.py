"""What clients used, kept in memory for a moment."""

from __future__ import annotations

from registry import uses
from registry.uses import Pull, UseBuffer, Used, Uses

APP = Used(repository_id=1, manifest_id=2, tag="1.0")
BY_DIGEST = Used(repository_id=1, manifest_id=2)


def test_uses_are_counted_by_manifest_and_tag() -> None:
    buffer = UseBuffer()
    buffer.note(APP)
    buffer.pulled(APP, by="ci")
    buffer.pulled(APP, by="")
    buffer.note(BY_DIGEST)
    taken = buffer.take()
    assert taken.counts == {APP: 2, BY_DIGEST: 0}
    assert taken.pulls == [Pull(used=APP, by="ci"), Pull(used=APP, by="")]
    assert buffer.take() == Uses(pulls=[])


def test_pulls_are_kept_one_by_one_only_while_somebody_wants_to_hear_of_them() -> None:
    buffer = UseBuffer()
    buffer.tells_pulls = False
    buffer.pulled(APP, by="ci")
    assert buffer.take() == Uses(counts={APP: 1}, pulls=[])


def test_what_could_not_be_written_is_added_to_what_came_since() -> None:
    buffer = UseBuffer()
    buffer.pulled(APP, by="ci")
    taken = buffer.take()
    buffer.pulled(APP, by="dev")
    buffer.put_back(taken)
    again = buffer.take()
    assert again.counts == {APP: 2}
    assert {pull.by for pull in again.pulls} == {"ci", "dev"}


def test_memory_is_bounded_and_what_is_lost_is_counted() -> None:
    buffer = UseBuffer()
    for number in range(uses.KEYS_LIMIT + 3):
        buffer.note(Used(repository_id=1, manifest_id=number))
    for _ in range(uses.PULLS_LIMIT + 2):
        buffer.pulled(Used(repository_id=1, manifest_id=0), by="ci")
    taken = buffer.take()
    assert (len(taken.counts), len(taken.pulls)) == (uses.KEYS_LIMIT, uses.PULLS_LIMIT)
    assert taken.lost == 5
    buffer.put_back(taken)
    assert buffer.take().lost == 5
