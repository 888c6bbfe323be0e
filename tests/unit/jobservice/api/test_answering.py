from __future__ import annotations

from aiohttp import web

from jobservice.api import answering
from jobservice.api.models.registry import Registry
from jobservice.domain.listing import COUNT_LIMIT


def test_a_total_is_exact_up_to_its_limit() -> None:
    answer = web.Response()
    answering.set_total(answer, COUNT_LIMIT)
    assert answer.headers["X-Total-Count"] == "100000"
    assert "X-Total-Count-Capped" not in answer.headers


def test_a_total_beyond_its_limit_says_so() -> None:
    answer = web.Response()
    answering.set_total(answer, COUNT_LIMIT + 1)
    assert answer.headers["X-Total-Count"] == "100000"
    assert answer.headers["X-Total-Count-Capped"] == "true"


def test_absent_values_are_left_out() -> None:
    shown = answering.json([Registry(id=0, insecure=False)])
    assert shown.body == b'[{"id":0,"insecure":false}]'
