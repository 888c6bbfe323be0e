"""The rows F1 to F5 and E2 of the conformance suites' content."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocol import media_types
from protocol.digest import Algorithm
from tests.integration.registry import steps
from tests.integration.registry.steps import REPOSITORY, Client, ask

SIGNATURE, BOM = "application/x.signature", "application/x.bom"


def of(subject: bytes) -> dict[str, Any]:
    return {"subject": steps.descriptor(subject, media_types.OCI_MANIFEST)}


async def listed(client: Client, subject: bytes, query: str = "") -> steps.Answer:
    url = f"/v2/{REPOSITORY}/referrers/{steps.digest(subject)}{query}"
    answer = await ask(client, "GET", url)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == media_types.OCI_INDEX
    assert answer.json["schemaVersion"] == 2
    return answer


async def push_referrers(client: Client, subject: bytes) -> tuple[bytes, bytes, bytes]:
    await steps.push_blob(client, b"{}")
    notes = {"org.example/a": "b", "ü": "☃"}
    signature = steps.image(b"{}", [], artifactType=SIGNATURE, annotations=notes, **of(subject))
    typeless = steps.image(b"{}", [], **of(subject))
    bom = steps.index([], artifactType=BOM, **of(subject))
    for body in (signature, typeless, bom):
        put = await steps.put_manifest(client, body)
        assert (put.status, put.headers["OCI-Subject"]) == (201, steps.digest(subject))
    return signature, typeless, bom


async def test_f1_f2_referrers_are_listed_with_all_that_they_say(client: Client) -> None:
    subject = await steps.push_image(client, "subject")
    signature, typeless, bom = await push_referrers(client, subject)
    entries = (await listed(client, subject)).json["manifests"]
    assert entries == [
        {
            **steps.descriptor(signature, media_types.OCI_MANIFEST),
            "artifactType": SIGNATURE,
            "annotations": {"org.example/a": "b", "ü": "☃"},
        },
        {
            **steps.descriptor(typeless, media_types.OCI_MANIFEST),
            "artifactType": media_types.OCI_CONFIG,
        },
        {**steps.descriptor(bom, media_types.OCI_INDEX), "artifactType": BOM},
    ]


async def test_f3_a_filter_is_applied_and_said(client: Client) -> None:
    subject = await steps.push_image(client, "subject")
    await push_referrers(client, subject)
    for wanted, count in ((BOM, 1), (SIGNATURE, 1), ("application/x.other", 0), ("", 0)):
        answer = await listed(client, subject, f"?artifactType={wanted}")
        assert answer.headers["OCI-Filters-Applied"] == "artifactType"
        assert [entry["artifactType"] for entry in answer.json["manifests"]] == [wanted] * count


async def test_f4_a_subject_need_not_be_there_and_a_deleted_referrer_is_gone(
    client: Client,
) -> None:
    signature, _, _ = await push_referrers(client, b"nowhere")
    assert len((await listed(client, b"nowhere")).json["manifests"]) == 3
    url = f"/v2/{REPOSITORY}/manifests/{steps.digest(signature)}"
    assert (await ask(client, "DELETE", url)).status == 202
    left = (await listed(client, b"nowhere")).json["manifests"]
    assert steps.digest(signature) not in json.dumps(left)
    assert len(left) == 2


async def test_e2_nothing_refers_to_anything_in_a_repository_never_pushed(client: Client) -> None:
    for algorithm in Algorithm:
        name = steps.digest(b"nowhere", algorithm)
        answer = await ask(client, "GET", f"/v2/library/never/referrers/{name}")
        assert (answer.status, answer.json["manifests"]) == (200, [])
        assert answer.headers["Content-Type"] == media_types.OCI_INDEX


async def test_a_referrer_is_listed_in_its_own_repository_only(client: Client) -> None:
    subject = await steps.push_image(client, "subject")
    await push_referrers(client, subject)
    await steps.push_image(client, "subject", repository="library/other")
    other = await ask(client, "GET", f"/v2/library/other/referrers/{steps.digest(subject)}")
    assert other.json["manifests"] == []


async def test_f1_f2_a_subject_may_be_named_by_sha512(client: Client) -> None:
    await steps.push_blob(client, b"{}")
    subject = steps.descriptor(b"subject", media_types.OCI_MANIFEST, Algorithm.SHA512)
    body = steps.image(b"{}", [], artifactType=SIGNATURE, subject=subject)
    put = await steps.put_manifest(client, body, steps.digest(body, Algorithm.SHA512))
    assert (put.status, put.headers["OCI-Subject"]) == (201, subject["digest"])
    answer = await ask(client, "GET", f"/v2/{REPOSITORY}/referrers/{subject['digest']}")
    (entry,) = answer.json["manifests"]
    assert entry["digest"] == steps.digest(body, Algorithm.SHA512)


async def test_f5_what_nothing_refers_to_has_an_empty_list(client: Client) -> None:
    subject = await steps.push_image(client, "subject")
    assert (await listed(client, subject)).json["manifests"] == []
    assert (await listed(client, b"in no repository")).json["manifests"] == []


@pytest.mark.parametrize(
    ("size_bytes", "pages"), [(1_500_000, 5), (400_000, 3), (1000, 1)], ids=["alone", "two", "all"]
)
async def test_a_long_list_comes_in_pages_none_of_which_is_large(
    client: Client, size_bytes: int, pages: int
) -> None:
    await steps.push_blob(client, b"{}")
    for number in range(5):
        notes = {"number": str(number), "large": "x" * size_bytes}
        body = steps.image(b"{}", [], annotations=notes, **of(b"subject"))
        assert (await steps.put_manifest(client, body)).status == 201
    seen: list[list[str]] = []
    query = ""
    while True:
        page = await listed(client, b"subject", query)
        assert len(page.body) <= max(1024 * 1024, size_bytes + 1000)
        seen.append([entry["annotations"]["number"] for entry in page.json["manifests"]])
        link = page.headers.get("Link")
        if link is None:
            break
        query = "?" + link.partition("?")[2].partition(">")[0]
    assert len(seen) == pages
    assert [number for numbers in seen for number in numbers] == ["0", "1", "2", "3", "4"]


async def test_what_is_no_digest_is_refused(client: Client) -> None:
    answer = await ask(client, "GET", f"/v2/{REPOSITORY}/referrers/sha256:bad")
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
