from __future__ import annotations

from jobservice.domain.retention_coverage import Coverage


def test_rules_that_met_something_are_not_remarked_upon() -> None:
    coverage = Coverage(rules=["rule 1", "rule 2"], left_alone=3)
    coverage.add({"rule 1": 0, "rule 2": 1})
    coverage.add({"rule 1": 4})
    assert [*coverage.remarks()] == []


def test_a_rule_for_repositories_that_are_not_there_is_told_apart_from_one_for_tags() -> None:
    coverage = Coverage(rules=["rule 1", "rule 2", "rule 3"], left_alone=1)
    coverage.add({"rule 1": 5, "rule 2": 0})
    coverage.add({"rule 1": 5, "rule 2": 0})
    assert [*coverage.remarks()] == [
        "rule 2 selects nothing in 2 repositories",
        "rule 3 is about 0 of 3 repositories",
    ]


def test_where_no_rule_is_about_anything_that_is_all_there_is_to_say() -> None:
    assert [*Coverage(rules=["rule 1"], left_alone=412).remarks()] == [
        "0 of 412 repositories are covered by a rule"
    ]
