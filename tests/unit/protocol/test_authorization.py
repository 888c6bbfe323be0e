from __future__ import annotations

import base64
from urllib.parse import parse_qs

import pytest

from protocol import authorization, challenge
from protocol.authorization import Authorization
from protocol.credential import Credential

BEARER = challenge.parse(
    ['Bearer realm="https://auth.test/token",service="reg",scope="repository:x:pull"']
)
PULL = authorization.scope("a/b", "pull")
PUSH = authorization.scope("a/b", "pull", "push")


def bearer(credential: Credential | None = None) -> Authorization:
    state = Authorization(credential)
    assert state.learn(BEARER)
    return state


def test_scopes_are_written_grouped_and_sorted() -> None:
    wanted = PUSH | authorization.scope("c", "pull")
    assert authorization.grouped(wanted) == ["repository:a/b:pull,push", "repository:c:pull"]
    assert authorization.single("repository:a/b:pull,push repository:c:pull") == wanted


def test_nothing_is_shown_before_a_challenge() -> None:
    state = Authorization(Credential(username="u", password="p"))
    assert state.header(PULL, 0) is None
    assert not state.is_known


def test_basic_is_shown_once_it_is_asked_for() -> None:
    state = Authorization(Credential(username="u", password="p:q"))
    assert state.learn(challenge.parse(['BASIC realm="x"']))
    header = state.header(PULL, 0)
    assert header is not None
    assert base64.b64decode(header.removeprefix("Basic ")) == b"u:p:q"


def test_basic_without_a_credential_cannot_be_met() -> None:
    assert not Authorization().learn(challenge.parse(["Basic"]))
    assert not Authorization().assume_basic()


def test_bearer_is_preferred_to_basic_and_needs_a_realm() -> None:
    state = Authorization(Credential(username="u"))
    assert state.learn((*challenge.parse(["Basic"]), *BEARER))
    assert state.is_bearer
    assert not Authorization().learn(challenge.parse(['Bearer service="x"']))


def test_a_token_is_asked_for_with_get_and_basic() -> None:
    request = bearer(Credential(username="u", password="p")).request(PUSH)
    assert (request.method, request.realm) == ("GET", "https://auth.test/token")
    assert list(request.query) == [
        ("service", "reg"),
        ("scope", "repository:a/b:pull,push"),
        ("account", "u"),
    ]
    assert request.authorization is not None


def test_an_anonymous_token_is_asked_for_without_anything() -> None:
    request = bearer().request(PULL)
    assert request.authorization is None
    assert ("account", "") not in request.query


def test_an_identity_token_is_posted_as_a_refresh_token() -> None:
    request = bearer(Credential(identity_token="long")).request(PULL)
    assert request.method == "POST"
    form = parse_qs((request.form or b"").decode())
    assert form["grant_type"] == ["refresh_token"]
    assert form["refresh_token"] == ["long"]
    assert form["scope"] == ["repository:a/b:pull"]
    assert "long" not in repr(request)


def test_the_challenges_scope_is_used_where_we_have_none() -> None:
    assert bearer().request(authorization.NOTHING).scope == {"repository:x:pull"}


@pytest.mark.parametrize("name", ["token", "access_token"])
def test_a_token_comes_under_either_name_and_without_dates(name: str) -> None:
    state = bearer()
    token = state.accept(state.request(PULL), {name: "abc"}, now=100)
    assert token is not None
    assert token.good_until == 100 + 60 - 5
    assert state.header(PULL, 110) == "Bearer abc"
    assert state.header(PULL, 156) is None


def test_a_short_life_is_taken_for_a_minute_and_a_long_one_as_it_is() -> None:
    state = bearer()
    short = state.accept(state.request(PULL), {"token": "a", "expires_in": 5}, now=0)
    long = state.accept(state.request(PUSH), {"token": "b", "expires_in": 600}, now=0)
    assert short is not None
    assert long is not None
    assert (short.good_until, long.good_until) == (55, 595)


def test_a_wider_token_serves_a_narrower_request_and_not_the_other_way() -> None:
    state = bearer()
    state.accept(state.request(PUSH), {"token": "wide"}, now=0)
    assert state.header(PULL, 1) == "Bearer wide"
    assert state.header(PUSH | authorization.scope("c", "pull"), 1) is None


def test_a_refused_token_is_forgotten() -> None:
    state = bearer()
    state.accept(state.request(PULL), {"token": "t"}, now=0)
    state.forget("Bearer t")
    assert state.header(PULL, 1) is None


@pytest.mark.parametrize("answer", [None, [], {}, {"token": ""}, {"token": 5}, {"token": "a\nb"}])
def test_an_answer_without_a_usable_token_is_none(answer: object) -> None:
    state = bearer()
    assert state.accept(state.request(PULL), answer, now=0) is None


def test_secrets_are_not_shown() -> None:
    state = bearer(Credential(username="u", password="hunter2"))
    state.accept(state.request(PULL), {"token": "tok3n"}, now=0)
    assert "tok3n" not in repr(state)
    assert "hunter2" not in repr(state)
