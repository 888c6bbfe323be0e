from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.errors import InvalidDestination, RepositoryTooShallow
from replication.naming import destination_repository

SOURCE = "a/b/c/image"
components = st.lists(st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("namespace", "flattening", "expected"),
    [
        ("n", -1, "n/image"),
        ("n", 0, "n/a/b/c/image"),
        ("n", 1, "n/b/c/image"),
        ("n", 2, "n/c/image"),
        ("n", 3, "n/image"),
        ("n/m", 1, "n/m/b/c/image"),
        ("", -1, SOURCE),
        ("", 2, SOURCE),
        ("", 9, SOURCE),
    ],
)
def test_names_follow_harbors_table(namespace: str, flattening: int, expected: str) -> None:
    assert destination_repository(SOURCE, namespace, flattening) == expected


def test_a_repository_too_shallow_says_how_deep_it_is() -> None:
    with pytest.raises(RepositoryTooShallow, match="only 3 components in front") as caught:
        destination_repository(SOURCE, "n", 4)
    assert caught.value.repository == SOURCE
    assert caught.value.flattening == 4


def test_a_negative_flattening_other_than_all_is_refused() -> None:
    with pytest.raises(InvalidDestination, match="flattening -2"):
        destination_repository(SOURCE, "n", -2)


@pytest.mark.parametrize("namespace", ["Upper", "n/", "n//m", "-n", "x" * 300])
def test_a_name_against_the_grammar_is_refused(namespace: str) -> None:
    with pytest.raises(InvalidDestination, match="would become"):
        destination_repository(SOURCE, namespace, 0)


def test_too_few_components_for_the_destination_are_refused() -> None:
    with pytest.raises(InvalidDestination, match="at least 2 components"):
        destination_repository("alpine", "", 0, minimum_components=2)
    assert destination_repository("alpine", "n", 0, minimum_components=2) == "n/alpine"


@given(source=components, namespace=components, flattening=st.integers(-1, 8))
def test_the_last_component_stays_and_the_namespace_leads(
    source: list[str], namespace: list[str], flattening: int
) -> None:
    name, prefix = "/".join(source), "/".join(namespace)
    if flattening >= len(source):
        with pytest.raises(RepositoryTooShallow):
            destination_repository(name, prefix, flattening)
        return
    result = destination_repository(name, prefix, flattening)
    kept = 1 if flattening == -1 else len(source) - flattening
    assert result.split("/") == [*namespace, *source[-kept:]]
