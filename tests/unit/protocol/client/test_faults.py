from __future__ import annotations

import pytest

from protocol.client import faults
from protocol.errors import (
    Denied,
    NotFound,
    RangeNotSatisfiable,
    RateLimited,
    RegistryError,
    Rejected,
    Unauthorized,
    Unavailable,
    Unsupported,
)


def error_of(status: int, body: bytes = b"", **headers: str) -> RegistryError:
    return faults.error_of("read manifest", "http://r/v2/", status, headers, body)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Rejected),
        (401, Unauthorized),
        (403, Denied),
        (404, NotFound),
        (405, Unsupported),
        (408, Unavailable),
        (412, Rejected),
        (413, Rejected),
        (416, RangeNotSatisfiable),
        (418, Rejected),
        (429, RateLimited),
        (500, Unavailable),
        (501, Unsupported),
        (503, Unavailable),
    ],
)
def test_each_status_has_its_error(status: int, kind: type[RegistryError]) -> None:
    error = error_of(status)
    assert type(error) is kind
    assert (error.status, error.operation) == (status, "read manifest")


def test_the_registrys_own_words_are_in_the_message() -> None:
    body = b'{"errors":[{"code":"DENIED","message":"quota"},{"code":"UNKNOWN"}]}'
    error = error_of(403, body)
    assert error.message == "the registry answered 403 DENIED: quota; UNKNOWN"
    assert [fault.code for fault in error.faults] == ["DENIED", "UNKNOWN"]


def test_the_code_unsupported_counts_whatever_the_status() -> None:
    assert isinstance(error_of(400, b'{"errors":[{"code":"UNSUPPORTED"}]}'), Unsupported)


def test_a_wait_is_kept() -> None:
    headers = {"Retry-After": "7"}
    limited = faults.error_of("x", "u", 429, headers, b"")
    unavailable = faults.error_of("x", "u", 503, headers, b"")
    assert isinstance(limited, RateLimited)
    assert isinstance(unavailable, Unavailable)
    assert (limited.retry_after_seconds, unavailable.retry_after_seconds) == (7, 7)


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'{"errors":null}', b'{"errors":[1]}', b"\xff", b"<html>"]
)
def test_anything_may_be_a_body(body: bytes) -> None:
    assert error_of(404, body).faults == ()


def test_a_page_for_people_is_told_from_a_registry() -> None:
    page = {"Content-Type": "text/html; charset=utf-8"}
    assert faults.is_web_page(page)
    assert not faults.is_web_page({**page, "Docker-Content-Digest": "sha256:x"})
    assert "is this a registry?" in faults.error_of("x", "u", 404, page, b"<html>").message


def test_long_messages_are_cut() -> None:
    body = b'{"errors":[{"code":"X","message":"' + b"m" * 9000 + b'"}]}'
    assert len(error_of(400, body).message) < 400
