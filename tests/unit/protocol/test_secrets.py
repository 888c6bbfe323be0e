"""Nothing that holds a secret shows it when it is printed."""

from __future__ import annotations

import pytest
from yarl import URL

from protocol.authorization import Authorization, Token, TokenRequest
from protocol.credential import Credential
from protocol.request import Request
from protocol.surroundings import Proxies, Surroundings

SECRET = "hunter2"
HOLDERS = [
    Credential(username="ann", password=SECRET, identity_token=SECRET),
    Authorization(Credential(username="ann", password=SECRET)),
    Token(value=SECRET, scope=frozenset(), good_until=0),
    TokenRequest(
        method="POST",
        realm="https://registry.test/token",
        query=(),
        scope=frozenset(),
        authorization=SECRET,
        form=SECRET.encode(),
    ),
    Request(
        operation="read blob",
        method="GET",
        url=URL(f"https://storage.test/blob?signature={SECRET}"),
        headers={"Authorization": SECRET},
        body=SECRET.encode(),
    ),
    Surroundings(
        proxies=Proxies(https=f"http://ann:{SECRET}@proxy.test"),
        helper_environment=(("PASSWORD", SECRET),),
    ),
]


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
def test_a_secret_is_not_in_the_repr(holder: object) -> None:
    assert SECRET not in repr(holder)
