from __future__ import annotations

from dataclasses import replace

from registry.retention import criterion, reasons
from tests.unit.registry.retention.examples import delete, rules


def test_a_criterion_that_asks_nothing_is_not_written_and_spares_nothing() -> None:
    (rule,) = rules(delete("a")).rules
    always = replace(rule, criteria=(criterion.Always(),))
    told = reasons.deleted(always, pushed_seconds_ago=0, used_seconds_ago=0)
    assert told == "goes: transship rule 1 deletes it: nothing spares it"
    assert criterion.to_json(criterion.Always()) == {}
