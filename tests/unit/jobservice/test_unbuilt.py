from __future__ import annotations

import pytest

from jobservice import unbuilt


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("filters.type", "label"),
        ("copy_by_chunk", True),
        ("credential.type", "oauth"),
    ],
)
def test_a_value_that_would_have_no_effect_is_refused_by_name(setting: str, value: object) -> None:
    (sentence,) = unbuilt.problems(setting, value)
    assert setting in sentence
    assert str(value).lower() in sentence


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("trigger.type", "manual"),
        ("trigger.type", "event_based"),
        ("deletion", True),
        ("filters.type", "tag"),
        ("name", "x"),
    ],
)
def test_what_is_built_passes(setting: str, value: object) -> None:
    assert list(unbuilt.problems(setting, value)) == []


def test_a_configuration_that_says_what_is_changes_nothing_and_others_are_refused() -> None:
    asked = {"auth_mode": "db_auth", "self_registration": False, "oidc_name": None}
    assert list(unbuilt.configuration_problems(asked)) == []
    (sentence,) = unbuilt.configuration_problems(asked | {"oidc_name": "dex"})
    assert sentence.startswith("oidc_name: 'dex' is not built")


def test_a_project_may_ask_for_nothing_in_words() -> None:
    asked = {"metadata.auto_scan": "false", "storage_limit": -1, "cve_allowlist.items": 0}
    assert list(unbuilt.project_problems(asked)) == []


def test_everything_unbuilt_of_a_project_is_named() -> None:
    asked = {"metadata.auto_scan": "true", "storage_limit": 5, "cve_allowlist.items": 2}
    assert len(list(unbuilt.project_problems(asked))) == 3
