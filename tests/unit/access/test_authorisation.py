from __future__ import annotations

import pytest

from access.authorisation import Action, may, may_administer
from access.identity import ANONYMOUS, SYSTEM, Principal

SOMEBODY = Principal(user_id=7, username="somebody")
ADMIN = Principal(user_id=1, username="admin", is_sysadmin=True)


@pytest.mark.parametrize("principal", [ADMIN, SYSTEM])
@pytest.mark.parametrize("action", list(Action))
def test_a_sysadmin_may_do_everything(principal: Principal, action: Action) -> None:
    assert may(principal, action, public=False)
    assert may_administer(principal)


@pytest.mark.parametrize("principal", [ANONYMOUS, SOMEBODY])
def test_others_may_only_pull_what_is_public(principal: Principal) -> None:
    allowed = {
        (action, public)
        for action in Action
        for public in (True, False)
        if may(principal, action, public=public)
    }
    assert allowed == {(Action.PULL, True)}
    assert not may_administer(principal)


def test_only_nobody_is_anonymous() -> None:
    assert [p.is_anonymous for p in (ANONYMOUS, SOMEBODY, ADMIN, SYSTEM)] == [True] + [False] * 3
