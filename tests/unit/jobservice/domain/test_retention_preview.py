from __future__ import annotations

import csv
import io
import json

import pytest

from jobservice.domain.retention_coverage import Coverage
from jobservice.domain.retention_preview import (
    COLUMNS,
    FORMS,
    KEPT_SHOWN,
    LEFT_ALONE_SHOWN,
    Head,
    Total,
)
from tests.unit.jobservice.domain.verdicts import DAY, Decided, verdict

APP = Decided(
    verdicts=(
        verdict(1, "v1", "old", reason="no rule keeps it"),
        verdict(2, "v2", goes=False, reason="kept by rule 1"),
        verdict(3, goes=False),
    ),
    matched={"rule 1": 1, "rule 2": 0},
    remarks=("rule 2 matches nothing here",),
)
ASKS = ("it would take the last tag of team/app",)


def told(form: str, *, policy_id: int | None = 5, repositories: int = 1) -> str:
    """A preview of so many repositories, and one that no rule is about."""
    teller, total = FORMS[form](), Total(coverage=Coverage(rules=["rule 1", "rule 2", "rule 3"]))
    pieces = [teller.begin(Head(place="team", decided_at=DAY, policy_id=policy_id))]
    for number in range(repositories):
        total.add(f"team/app{number}", APP)
        pieces += teller.repository(f"team/app{number}", APP)
    total.leave("team/other")
    return "".join([*pieces, teller.end(total, ASKS)])


def test_json_is_one_object() -> None:
    found = json.loads(told("json", repositories=2))
    assert (found["place"], found["policy_id"], found["asks"]) == ("team", 5, list(ASKS))
    assert (found["candidates"], found["doomed"], found["doomed_bytes"]) == (6, 2, 3072)
    assert found["left_alone"] == {"count": 1, "examples": ["team/other"]}
    assert found["remarks"] == [
        "rule 2 selects nothing in 2 repositories",
        "rule 3 is about 0 of 3 repositories",
    ]
    first, second = found["repositories"]
    assert first["remarks"] == ["rule 2 matches nothing here"]
    assert [one["action"] for one in second["artifacts"]] == ["delete", "keep", "keep"]
    assert first["artifacts"][0]["tags"] == ["v1", "old"]
    assert first["artifacts"][0]["reason"] == "no rule keeps it"


def test_json_of_nothing_is_an_object_too() -> None:
    found = json.loads(told("json", policy_id=None, repositories=0))
    assert found["repositories"] == []
    assert "policy_id" not in found
    assert found["remarks"] == ["0 of 1 repositories are covered by a rule"]


def test_csv_has_a_line_for_each_artifact() -> None:
    heading, *rows = csv.reader(io.StringIO(told("csv", repositories=2)))
    assert tuple(heading) == COLUMNS
    assert [row[:2] for row in rows[:3]] == [
        ["team/app0", "delete"],
        ["team/app0", "keep"],
        ["team/app0", "keep"],
    ]
    assert rows[0][3:] == ["v1 old", "1536", DAY.isoformat(), "", "no rule keeps it"]
    assert len(rows) == 6


def test_the_page_tells_what_goes_and_escapes_what_it_is_told() -> None:
    page = told("html")
    assert "1 of 3 would go, which frees 1.5 KiB" in page
    assert "<li>rule 3 is about 0 of 2 repositories</li>" in page
    assert "<li>it would take the last tag of team/app</li>" in page
    teller = FORMS["html"]()
    head = teller.begin(Head(place="<script>", decided_at=DAY))
    assert "<script>" not in head
    spoilt = Decided(verdicts=(verdict(1, "v1", reason="<b>"),))
    assert "<b>" not in "".join(teller.repository("team/app", spoilt))
    assert "<ul>" not in teller.end(Total(coverage=Coverage(covered=1)), ())


def test_the_text_is_a_table_with_what_is_to_be_told_of_rules_and_guards() -> None:
    lines = told("text").splitlines()
    assert lines[0] == "what retention would delete in team, decided at 2026-11-26 03:04:05 UTC"
    assert "team/app0: 1 of 3 would go" in lines
    assert "NOTE: rule 2 matches nothing here" in lines
    assert [line.split()[0] for line in lines if "sha256:" in line] == ["DELETE", "KEEP", "KEEP"]
    assert lines[-4].startswith("1 of 3 would go from 1 repositories, which frees 1.5 KiB at most")
    assert lines[-3:] == [
        "NOTE: rule 2 selects nothing in 1 repository",
        "NOTE: rule 3 is about 0 of 2 repositories",
        "A scheduled run would wait to be approved: it would take the last tag of team/app",
    ]
    assert "wait to be approved" not in FORMS["text"]().end(Total(), ())


def test_a_digest_with_ten_thousand_tags_takes_one_line_of_the_page() -> None:
    many = Decided(verdicts=(verdict(1, *(f"t{number}" for number in range(10_000))),))
    assert "t19 and 9980 more" in "".join(FORMS["html"]().repository("team/app", many))


@pytest.mark.parametrize("form", sorted(FORMS))
def test_of_what_stays_the_first_are_listed(form: str) -> None:
    kept = Decided(verdicts=tuple(verdict(n, f"t{n}", goes=False) for n in range(KEPT_SHOWN + 9)))
    text = "".join(FORMS[form]().repository("team/app", kept))
    assert text.count("because") == KEPT_SHOWN
    assert ("and 9 more that stay" in text) == (form in {"html", "text"})


def test_repositories_that_no_rule_is_about_are_counted_and_the_first_named() -> None:
    total = Total()
    for number in range(LEFT_ALONE_SHOWN + 5):
        total.leave(f"team/{number}")
    assert (total.coverage.left_alone, len(total.left_alone_named)) == (
        LEFT_ALONE_SHOWN + 5,
        LEFT_ALONE_SHOWN,
    )
