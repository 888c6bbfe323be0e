from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jobservice.api import querying
from jobservice.api.querying import FieldType
from jobservice.domain.listing import AnyOf, Between, Condition, Contains, Equals, Order
from jobservice.errors import InvalidRequest

FIELDS = {
    "id": FieldType.INTEGER,
    "name": FieldType.TEXT,
    "enabled": FieldType.BOOLEAN,
    "creation_time": FieldType.TIME,
}
MOMENT = datetime(2020, 4, 9, 2, 36, tzinfo=UTC)


@pytest.mark.parametrize(
    ("q", "conditions"),
    [
        ("", ()),
        (" , ", ()),
        ("name=a", (Equals(field="name", value="a"),)),
        ("name=", (Equals(field="name", value=""),)),
        ("name=[", None),
        ('name="a,b"', (Equals(field="name", value="a,b"),)),
        ("name=~a", (Contains(field="name", text="a"),)),
        ("name=~'a b'", (Contains(field="name", text="a b"),)),
        ("id=1,name=a=b", (Equals(field="id", value=1), Equals(field="name", value="a=b"))),
        ("id=[1~5]", (Between(field="id", low=1, high=5),)),
        ("id=[~5]", (Between(field="id", high=5),)),
        ("id=[1~]", (Between(field="id", low=1),)),
        ("id={1 2 3}", (AnyOf(field="id", values=(1, 2, 3)),)),
        ("name={a \"b c\" 'd,e'}", (AnyOf(field="name", values=("a", "b c", "d,e")),)),
        ("enabled=true", (Equals(field="enabled", value=True),)),
        ("enabled=0", (Equals(field="enabled", value=False),)),
        ("creation_time=2020-04-09 02:36:00", (Equals(field="creation_time", value=MOMENT),)),
        (
            'creation_time=["2020-04-09 02:36:00"~]',
            (Between(field="creation_time", low=MOMENT),),
        ),
        ("creation_time=2020-04-09T02:36:00+00:00", (Equals(field="creation_time", value=MOMENT),)),
    ],
)
def test_q_follows_harbors_grammar(q: str, conditions: tuple[Condition, ...] | None) -> None:
    if conditions is None:
        with pytest.raises(InvalidRequest):
            querying.parse(q, None, FIELDS)
    else:
        assert querying.parse(q, None, FIELDS).conditions == conditions


@pytest.mark.parametrize(
    "q",
    [
        "name",
        "=a",
        "id=x",
        "id=~1",
        "id=99999999999999999999",
        "id=[1]",
        "id={1 x}",
        "id=(1 2)",
        "enabled=yes",
        "creation_time=yesterday",
    ],
)
def test_a_q_that_does_not_parse_is_refused_with_its_text(q: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        querying.parse(q, None, FIELDS)
    assert q in refused.value.problems[0]


def test_all_problems_of_q_are_named_at_once() -> None:
    with pytest.raises(InvalidRequest) as refused:
        querying.parse("id=x,enabled=y,nothing", None, FIELDS)
    assert len(refused.value.problems) == 3


def test_sort_is_a_list_of_fields_with_a_minus_for_descending() -> None:
    parsed = querying.parse(None, "name, -id", FIELDS)
    assert parsed.order == (Order(field="name"), Order(field="id", descending=True))


def test_unknown_fields_are_ignored_and_reported() -> None:
    parsed = querying.parse("colour=red,id=1", "-size,id", FIELDS)
    assert parsed.conditions == (Equals(field="id", value=1),)
    assert parsed.order == (Order(field="id"),)
    assert parsed.ignored == ("q: colour", "sort: size")


def test_our_own_lists_refuse_unknown_fields_with_all_other_problems() -> None:
    with pytest.raises(InvalidRequest) as refused:
        querying.parse("colour=blue,id=x", "-size,id", FIELDS, refuses_unknown=True)
    problems = [problem.partition(" is not ")[0] for problem in refused.value.problems]
    assert problems == ["q: 'id=x': 'x'", "q: colour", "sort: size"]
    assert refused.value.problems[-1].endswith(f"known are {', '.join(FIELDS)}")
