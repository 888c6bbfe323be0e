from __future__ import annotations

from typing import Any, cast

from aiohttp.test_utils import make_mocked_request

from access.identity import ANONYMOUS
from jobservice.api import answering
from jobservice.api.models.base import Nothing, Paging
from jobservice.api.models.registry import Registry
from jobservice.api.router import Call
from jobservice.api.services import Services
from jobservice.domain.listing import COUNT_LIMIT


def call(path: str, query: Paging) -> Call[Any, Any, Any]:
    return Call(
        request=make_mocked_request("GET", path),
        services=cast("Services", None),
        principal=ANONYMOUS,
        path=Nothing(),
        query=query,
        body=Nothing(),
    )


def test_a_total_is_exact_up_to_its_limit() -> None:
    answer = answering.page(call("/x", Paging()), [], COUNT_LIMIT)
    assert answer.headers["X-Total-Count"] == "100000"
    assert "X-Total-Count-Capped" not in answer.headers


def test_a_total_beyond_its_limit_says_so() -> None:
    answer = answering.page(call("/x", Paging()), [], COUNT_LIMIT + 1)
    assert answer.headers["X-Total-Count"] == "100000"
    assert answer.headers["X-Total-Count-Capped"] == "true"


def test_links_keep_what_was_asked() -> None:
    answer = answering.page(call("/x?q=a%3Db&page=2", Paging(page=2)), [], 21)
    assert answer.headers["Link"] == (
        '</x?q=a%3Db&page=1&page_size=10>; rel="prev", </x?q=a%3Db&page=3&page_size=10>; rel="next"'
    )


def test_the_only_page_has_no_links() -> None:
    assert "Link" not in answering.page(call("/x", Paging()), [], 10).headers


def test_absent_values_are_left_out() -> None:
    shown = answering.json([Registry(id=0, insecure=False)])
    assert shown.body == b'[{"id":0,"insecure":false}]'
