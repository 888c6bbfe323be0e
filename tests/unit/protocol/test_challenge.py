from __future__ import annotations

import pytest

from protocol import challenge

HUB = (
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",'
    'scope="repository:library/alpine:pull,push"'
)


def test_a_bearer_challenge_is_read_with_commas_inside_quotes() -> None:
    (found,) = challenge.parse([HUB])
    assert found.scheme == "bearer"
    assert found.parameters == {
        "realm": "https://auth.docker.io/token",
        "service": "registry.docker.io",
        "scope": "repository:library/alpine:pull,push",
    }


@pytest.mark.parametrize("scheme", ["BASIC", "basic", "Basic"])
def test_the_scheme_is_read_in_any_case(scheme: str) -> None:
    (found,) = challenge.parse([f'{scheme} Realm="x"'])
    assert (found.scheme, found.parameters) == ("basic", {"realm": "x"})


def test_several_challenges_come_in_one_header_and_in_several() -> None:
    one = challenge.parse([f'Basic realm="a, b", {HUB}'])
    two = challenge.parse(['Basic realm="a, b"', HUB])
    assert [each.scheme for each in one] == ["basic", "bearer"]
    assert one == two


def test_escapes_and_bare_values_are_read() -> None:
    (found,) = challenge.parse([r'Bearer realm="a\"b", service=plain , error = "x"'])
    assert found.parameters == {"realm": 'a"b', "service": "plain", "error": "x"}


def test_a_token68_belongs_to_its_scheme() -> None:
    found = challenge.parse(['Negotiate YWJj==, Basic realm="x"'])
    assert [each.scheme for each in found] == ["negotiate", "basic"]


@pytest.mark.parametrize("junk", ["", "   ", ",,,", '"', "=x", "\x00", "a=b"])
def test_junk_is_left_out(junk: str) -> None:
    assert challenge.parse([junk]) == ()
